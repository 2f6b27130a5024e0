// What a person can get wrong, as processes: a clear sentence with the remedy, CONTRACT's exit code, nothing lost.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from '@cria/data';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCria, type CriaResult } from './testing/run-cria.js';

const CONFIG = `
run: tiny
model: { hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, kvHeads: 1, vocabSize: 50304, maxPositions: 8 }
budget: { steps: 2, sequenceLength: 8, globalBatch: 8 }
slots: 2
data: { train: [ { path: tokens } ], validation: { fraction: 0 } }
optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 1 }
`;

let cwd = '';

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'cria-bad-input-'));
  writeFileSync(join(cwd, 'tiny.yaml'), CONFIG);
  writeFileSync(
    join(cwd, 'text.txt'),
    'Llamas are social animals and live with others as a herd. '.repeat(20),
  );
  await prepare({ inputs: [join(cwd, 'text.txt')], outDir: join(cwd, 'tokens') });
});

afterEach(() => rmSync(cwd, { recursive: true }));

const cria = (...args: string[]): Promise<CriaResult> => runCria(args, { cwd });
const up = (...args: string[]): Promise<CriaResult> => cria('up', '--config', 'tiny.yaml', ...args);

function expectRefused({ code, stdout, stderr }: CriaResult, exitCode: number, sentence: string): void {
  expect(stderr).toContain(sentence);
  expect(code).toBe(exitCode);
  expect(stdout).toBe('');
  expect(existsSync(join(cwd, 'runs'))).toBe(false);
}

describe('a command line', () => {
  it.each([
    ['an unknown command', ['nonsense'], "unknown command 'nonsense'"],
    ['an unknown flag', ['up', '--colour', 'red'], "unknown option '--colour'"],
    ['a flag without its value', ['up', '--steps'], "option '--steps <n>' argument missing"],
    ['a number that is none', ['up', '--workers', 'two'], 'It must be a whole number of at least 1.'],
    ['a choice that is none', ['up', '--engine', 'gpu'], 'Allowed choices are auto, native, tfjs.'],
    ['an argument too many', ['status', 'here'], 'too many arguments'],
    ['a missing argument', ['scale'], "missing required argument 'workers'"],
    ['--set without a value', ['up', '--set', 'slots'], '--set wants path=value, got "slots"'],
  ])('with %s is refused with exit code 2', async (_what, args, sentence) => {
    expectRefused(await cria(...args), 2, sentence);
  });

  it('that fails under --json prints one JSON object on stdout', async () => {
    const { code, stdout } = await up('--set', 'slots=3', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
  });
});

describe('cria up refuses', () => {
  it('an unknown configuration key, by its path', async () => {
    expectRefused(await up('--set', 'model.depth=3'), 2, 'model.depth: unknown key');
  });

  it('slots that do not divide the batch, with those that do', async () => {
    const allowed = 'slots: must divide budget.globalBatch = 8: allowed are 1, 2, 4, 8';
    expectRefused(await up('--set', 'slots=3'), 2, allowed);
  });

  it('a configuration that is not there', async () => {
    expectRefused(await cria('up', '--config', 'none.yaml'), 2, 'cannot read the configuration none.yaml');
  });

  it('data that is not there, with the command that makes it', async () => {
    expectRefused(await up('--set', 'data.train=[{path: elsewhere}]'), 2, 'cria data prepare');
  });

  it('a token file cut short', async () => {
    truncateSync(join(cwd, 'tokens', 'tokens.bin'), 300);
    expectRefused(await up(), 1, 'tokens.bin');
  });

  it('a port in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      expectRefused(
        await up('--http-port', String(port)),
        2,
        `[PORT_IN_USE] port ${port} of 127.0.0.1 is taken`,
      );
    } finally {
      server.close();
    }
  });

  it('a machine without redis-server, with the command that installs it', async () => {
    mkdirSync(join(cwd, 'bin'));
    symlinkSync('/bin/sh', join(cwd, 'bin', 'sh'));
    const env = { PATH: join(cwd, 'bin') };
    expectRefused(
      await runCria(['up', '--config', 'tiny.yaml'], { cwd, env }),
      2,
      'redis-server is not installed: run `npx cria setup`',
    );
  });

  it('a Redis that does not answer', async () => {
    const env = { REDIS_URL: 'redis://127.0.0.1:1' };
    expectRefused(await runCria(['up', '--config', 'tiny.yaml'], { cwd, env }), 1, 'REDIS_UNAVAILABLE');
  }, 30_000);

  it('an engine that this machine does not have', async () => {
    const { code, stderr } = await up('--engine', 'tfjs', '--device', 'cuda:0');
    expect(stderr).toContain('cria setup --tensorflow gpu');
    expect(code).toBe(2);
  });

  it('a directory that cannot be written', async () => {
    const refused = await up('--out', join(cwd, 'tiny.yaml', 'run'));
    expectRefused(refused, 2, 'name a directory that you may write with --out');
  });

  it('an existing directory without --resume, leaving it as it is', async () => {
    mkdirSync(join(cwd, 'mine'));
    writeFileSync(join(cwd, 'mine', 'thesis.txt'), 'years of work');
    expectRefused(await up('--out', 'mine'), 2, 'add --resume');
    expect(readdirSync(join(cwd, 'mine'))).toEqual(['thesis.txt']);
  });

  it('to resume where no run is', async () => {
    expectRefused(await up('--out', 'nowhere', '--resume'), 2, 'there is no run to resume');
  });
});

describe('cria data prepare', () => {
  it('refuses an empty corpus', async () => {
    writeFileSync(join(cwd, 'empty.txt'), '');
    const refused = await cria('data', 'prepare', 'empty.txt', '--out', 'empty');
    expectRefused(refused, 2, '[DATA_EMPTY]');
    expect(existsSync(join(cwd, 'empty'))).toBe(false);
  });
});

/** A file system of 64 KiB, where this machine lets us make one. */
function mountTinyDisk(path: string): boolean {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a full disk', () => {
  it('is named before anything is started', async (context) => {
    const disk = join(cwd, 'disk');
    if (!mountTinyDisk(disk)) return context.skip();
    try {
      writeFileSync(join(disk, 'filler'), Buffer.alloc(64 * 1024));
    } catch {
      // Full is what it is meant to be.
    }
    try {
      expectRefused(await up('--out', join(disk, 'run')), 1, 'no space is left');
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
