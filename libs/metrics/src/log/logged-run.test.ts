import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CriaError } from '@cria/runtime';
import { FakeClock } from '@cria/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRunEvent } from '../run-event.js';
import { init } from './init.js';
import type { InitOptions } from './init.js';
import type { LoggedRun } from './logged-run.js';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

let folder = '';
let clock: FakeClock;
let troubles: Array<CriaError | null> = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cria-log-'));
  clock = new FakeClock(1_700_000_000_000);
  troubles = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = (options: Partial<InitOptions> = {}): LoggedRun =>
  init(
    { project: 'demo', dir: join(folder, 'run'), ...options },
    { clock, onTrouble: (error) => troubles.push(error) },
  );
const read = (name: string): string => readFileSync(join(folder, 'run', name), 'utf8');
const lines = (name: string): Array<Record<string, unknown>> =>
  read(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a logged run', () => {
  it('is the directory that the dashboard reads', () => {
    const run = start({ config: { lr: 1e-3, layers: [1, 2] }, name: 'first <try>', steps: 2 });
    run.log({ loss: 4.5, lr: 0 });
    run.log({ loss: 4.25, train: { acc: 0.5, 'grad/norm': 2 } }, { step: 10 });
    run.finish();
    expect(lines('metrics.jsonl')).toEqual([
      { step: 0, segment: 0, wallMs: 1_700_000_000_000, loss: 4.5, lr: 0 },
      { step: 10, segment: 0, wallMs: 1_700_000_000_000, loss: 4.25, 'train/acc': 0.5, 'train/grad/norm': 2 },
    ]);
    expect(JSON.parse(read('run.json'))).toMatchObject({
      ...{
        run: 'first <try>',
        source: 'logged',
        project: 'demo',
        phase: 'finished',
        steps: 2,
        failure: null,
      },
      ...{ startedWallMs: 1_700_000_000_000, endedWallMs: 1_700_000_000_000 },
    });
    expect(JSON.parse(read('config.yaml'))).toEqual({ lr: 1e-3, layers: [1, 2] });
    const events = lines('events.jsonl').map((event) => parseRunEvent(event));
    expect(events).toMatchObject([
      { seq: 1, kind: 'run-started' },
      { seq: 2, kind: 'run-finished', step: 11 },
    ]);
  });

  it('keeps what is not finite as such, and leaves out what is undefined', () => {
    const run = start();
    run.log({ loss: NaN, up: Infinity, down: -Infinity, big: 12n, maybe: undefined });
    run.finish();
    expect(lines('metrics.jsonl')).toMatchObject([{ loss: null, up: null, down: null, big: 12 }]);
    expect(read('metrics.jsonl')).not.toContain('maybe');
  });

  it('counts steps by itself, and adds to a step that is logged twice', () => {
    const run = start();
    run.log({ loss: 1 });
    run.log({ valLoss: 2 }, { step: 0 });
    run.log({ loss: 3 });
    run.finish();
    expect(lines('metrics.jsonl').map(({ step }) => step)).toEqual([0, 0, 1]);
  });

  it.each([
    ['a lower step', (run: LoggedRun) => run.log({ loss: 1 }, { step: 4 }), 'step 4 comes after step 5'],
    [
      'half a step',
      (run: LoggedRun) => run.log({ loss: 1 }, { step: 5.5 }),
      'a whole number from 0 on, not 5.5',
    ],
    ['a text', (run: LoggedRun) => run.log({ loss: '1' as never }), '"loss" is a string'],
    ['null', (run: LoggedRun) => run.log({ a: { b: null as never } }), '"a/b" is null'],
    ['a field of rows', (run: LoggedRun) => run.log({ wallMs: 1 }), '"wallMs" is a field of every row'],
    ['an escape sequence', (run: LoggedRun) => run.log({ '\u001b[2J': 1 }), 'without control characters'],
    ['a long name', (run: LoggedRun) => run.log({ ['x'.repeat(129)]: 1 }), '1 to 128 characters'],
  ])('refuses %s by name, and goes on', (_what, act, message) => {
    const run = start();
    run.log({ loss: 1 }, { step: 5 });
    expect(() => act(run)).toThrow(message);
    run.log({ loss: 2 });
    run.finish();
    expect(lines('metrics.jsonl').map(({ step }) => step)).toEqual([5, 6]);
  });

  it('goes back only when told to, and then as a new segment', () => {
    const run = start();
    for (const loss of [5, 4, 3]) run.log({ loss });
    run.rewindTo(1);
    run.log({ loss: 4.1 });
    run.rewindTo(7);
    run.log({ loss: 3.9 });
    run.finish();
    expect(lines('metrics.jsonl').map(({ step, segment }) => [step, segment])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [1, 1],
      [2, 1],
    ]);
  });

  it('is resumed as the same run, behind a line that was cut off', () => {
    const first = start();
    first.log({ loss: 1 });
    first.log({ loss: 2 });
    first.finish({ failure: new Error('out of luck') });
    expect(JSON.parse(read('run.json'))).toMatchObject({ phase: 'failed', failure: 'out of luck' });
    appendFileSync(join(folder, 'run', 'metrics.jsonl'), '{"step":2,"lo');
    const second = start({ resume: true });
    expect(second.id).toBe(first.id);
    expect(second.step).toBe(1);
    second.log({ loss: 1.5 }, { step: 1 });
    second.finish();
    expect(lines('metrics.jsonl').map(({ step, segment }) => [step, segment])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
    expect(lines('events.jsonl').map(({ seq, kind }) => [seq, kind])).toEqual([
      [1, 'run-started'],
      [2, 'run-failed'],
      [3, 'run-resumed'],
      [4, 'run-finished'],
    ]);
  });

  it('does not mix with what is there already', () => {
    start().finish();
    expect(() => start()).toThrow(/holds something: name another directory, or go on .* resume: true/);
  });

  it('writes a busy loop in batches, and an idle one soon', () => {
    const run = start();
    for (let step = 0; step < 100; step++) run.log({ loss: step });
    expect(lines('metrics.jsonl')).toHaveLength(1);
    clock.advance(200);
    expect(lines('metrics.jsonl')).toHaveLength(100);
    run.finish();
  });
});

describe('a disk in trouble', () => {
  // A device that is always full, as Linux has it.
  it.skipIf(!existsSync('/dev/full'))('never throws into the loop, and says so once', () => {
    const script = `
      import { symlinkSync, mkdirSync } from 'node:fs';
      import { init } from '@cria/metrics/log';
      mkdirSync('${folder}/full');
      symlinkSync('/dev/full', '${folder}/full/metrics.jsonl');
      const run = init({ project: 'demo', dir: '${folder}/full', resume: true });
      for (let step = 0; step < 1000; step++) run.log({ loss: step });
      run.finish();
      console.log('trained');
    `;
    const { stdout, stderr, status } = runScript(script);
    expect(status).toBe(0);
    expect(stdout).toBe('trained\n');
    expect(stderr.match(/metrics\.jsonl cannot be written/g)).toHaveLength(1);
  });
});

describe('a process that logs', () => {
  it('has everything on disk when it ends, and shows as finished', () => {
    const { status } = runScript(script('for (let step = 0; step < 50; step++) run.log({ loss: step });'));
    expect(status).toBe(0);
    expect(lines('metrics.jsonl')).toHaveLength(50);
    expect(JSON.parse(read('run.json'))).toMatchObject({ phase: 'finished' });
  });

  it('shows as failed when it throws', () => {
    const { status } = runScript(
      script('run.log({ loss: 1 }); run.log({ loss: 2 }); throw new Error("no");'),
    );
    expect(status).toBe(1);
    expect(lines('metrics.jsonl')).toHaveLength(2);
    expect(JSON.parse(read('run.json'))).toMatchObject({
      phase: 'failed',
      failure: 'the process ended with exit code 1',
    });
  });

  it('is not kept alive by its log', () => {
    const { status } = runScript(script('run.log({ loss: 1 }); run.log({ loss: 2 });'));
    expect(status).toBe(0);
  });
});

describe('docs/logging.md', () => {
  it('has an example that runs as it stands there', () => {
    const page = readFileSync(fileURLToPath(new URL('../../../../docs/logging.md', import.meta.url)), 'utf8');
    const example = /```js\n(.*?)```/s.exec(page)?.[1] ?? '';
    const { status, stderr } = runScript(example.replace("'runs/demo'", `'${folder}/run'`));
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const rows = lines('metrics.jsonl');
    expect(new Set(rows.map(({ step }) => step)).size).toBe(200);
    expect(rows.filter((row) => 'validation/loss' in row).map(({ step }) => step)).toEqual([0, 50, 100, 150]);
    expect(JSON.parse(read('run.json'))).toMatchObject({ phase: 'finished', steps: 200 });
  });
});

function script(body: string): string {
  return `import { init } from '@cria/metrics/log';
    const run = init({ project: 'demo', dir: '${folder}/run' });
    ${body}`;
}

/** Runs a program that uses the built package by its name. */
function runScript(source: string): { status: number | null; stdout: string; stderr: string } {
  const args = ['--input-type=module', '-e', source];
  return spawnSync(process.execPath, args, { cwd: PACKAGE, encoding: 'utf8', timeout: 15_000 });
}
