// The launcher in a clone of its own (bin/ and launcher/ copied), with programs that only pretend: nothing of this
// machine is changed.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCria, type CriaResult } from '../testing/run-cria.js';

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;

let clone = '';
let bin = '';

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'cria-setup-'));
  bin = join(clone, 'programs');
  mkdirSync(bin);
  chmodSync(clone, 0o755);
  for (const part of ['bin', 'launcher'])
    cpSync(join(PACKAGE, part), join(clone, 'apps/cli', part), { recursive: true });
  for (const name of ['package-lock.json', 'tsconfig.base.json', 'nx.json'])
    writeFileSync(join(clone, name), '{}');
  mkdirSync(join(clone, 'libs/one/src'), { recursive: true });
  writeFileSync(join(clone, 'libs/one/package.json'), '{"scripts":{"build":"true"}}');
  writeFileSync(join(clone, 'libs/one/src/one.ts'), '');
  for (const name of ['sh', 'env', 'cat', 'chmod', 'mkdir', 'true'])
    symlinkSync(`/usr/bin/${name}`, join(bin, name));
});

afterEach(() => rmSync(clone, { recursive: true }));

const script = (): string => join(clone, 'apps/cli/bin/cria.mjs');
const cria = (args: string[], extra: { env?: NodeJS.ProcessEnv; uid?: number } = {}): Promise<CriaResult> =>
  runCria(args, { cwd: clone, script: script(), ...extra, env: { PATH: bin, REDIS_URL: '', ...extra.env } });

function writeProgram(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** Stands in for nx: notes that it was called and "builds". */
function writeNx(text = ''): void {
  const folder = join(clone, 'node_modules/nx/dist/bin');
  mkdirSync(folder, { recursive: true });
  const build = `
    require('node:fs').appendFileSync('builds', process.argv.slice(2).join(' ') + '\\n');
    require('node:fs').mkdirSync('libs/one/dist', { recursive: true });
    ${text}`;
  writeFileSync(join(folder, 'nx.js'), build);
}

const builds = (): string[] =>
  existsSync(join(clone, 'builds')) ? readFileSync(join(clone, 'builds'), 'utf8').trim().split('\n') : [];

describe('the launcher', () => {
  it('refuses an old Node with a sentence', async () => {
    const old =
      "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.4'}})";
    const { code, stderr } = await cria(['status'], { env: { NODE_OPTIONS: `--import=${old}` } });
    expect(code).toBe(2);
    expect(stderr).toContain('cria needs Node 20.19 or newer, this is 18.20.4');
  });

  it('says how to build what is not built', async () => {
    const { code, stderr } = await cria(['status']);
    expect(code).toBe(2);
    expect(stderr).toContain('nothing is built yet: run `npx cria setup`');
  });
});

describe('cria setup', () => {
  it('builds once and is a no-op until a source changes', async () => {
    writeNx();
    writeProgram('redis-server', '');
    expect((await cria(['setup', '--json'])).stdout).toContain('"built":true');
    expect((await cria(['setup', '--json'])).stdout).toContain('"built":false');
    utimesSync(join(clone, 'libs/one/src/one.ts'), 1, 1);
    expect((await cria(['setup', '--json'])).stdout).toContain('"built":true');
    expect(builds()).toEqual(Array(2).fill('run-many -t build --outputStyle=static'));
  });

  it('builds again when what was built is gone', async () => {
    writeNx();
    writeProgram('redis-server', '');
    await cria(['setup']);
    rmSync(join(clone, 'libs/one/dist'), { recursive: true });
    expect((await cria(['setup', '--json'])).stdout).toContain('"built":true');
  });

  it("shows the compiler's own words when the build fails, and tries again next time", async () => {
    writeNx("console.log('one.ts(1,1): error TS1005'); process.exit(1);");
    writeProgram('redis-server', '');
    const { code, stderr } = await cria(['setup']);
    expect(code).toBe(1);
    expect(stderr).toContain('one.ts(1,1): error TS1005');
    await cria(['setup']);
    expect(builds()).toHaveLength(2);
  });

  it('asks for `npm ci` where dependencies are missing', async () => {
    writeProgram('redis-server', '');
    const { code, stderr } = await cria(['setup']);
    expect(code).toBe(2);
    expect(stderr).toContain('run `npm ci` first');
  });

  it('refuses what it does not know', async () => {
    expect((await cria(['setup', '--for', 'fun'])).code).toBe(2);
    expect((await cria(['setup', '--fast'])).code).toBe(2);
  });
});

const APT =
  'echo "$@" >> apt; for last; do :; done; if [ "$1" = install ]; then printf "#!/bin/sh\\n" > "programs/$last"; chmod +x "programs/$last"; fi';

describe('missing packages', () => {
  it.runIf(IS_ROOT)('are installed with apt by root', async () => {
    writeNx();
    writeProgram('apt-get', APT);
    const { code, stdout } = await cria(['setup', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, installed: ['redis-server'] });
    expect(readFileSync(join(clone, 'apt'), 'utf8')).toBe(
      'update -q\ninstall -y -q --no-install-recommends redis-server\n',
    );
  });

  it.runIf(IS_ROOT)('include chromium for the tests', async () => {
    writeNx();
    writeProgram('redis-server', '');
    writeProgram('apt-get', APT);
    expect((await cria(['setup', '--for', 'test', '--json'])).stdout).toContain('"installed":["chromium"]');
  });

  it.runIf(IS_ROOT)('are installed through sudo where it asks for no password', async () => {
    writeNx();
    writeProgram('apt-get', APT);
    writeProgram('sudo', 'shift; exec "$@"');
    for (const path of [clone, bin]) chmodSync(path, 0o777);
    chmodSync(join(clone, 'libs/one'), 0o777);
    expect((await cria(['setup', '--json'], { uid: NOBODY })).stdout).toContain(
      '"installed":["redis-server"]',
    );
  });

  it.runIf(IS_ROOT)(
    'are listed with their commands, all in one message, where nobody may install them',
    async () => {
      writeNx();
      writeProgram('apt-get', APT);
      writeProgram('sudo', 'exit 1');
      const { code, stderr } = await cria(['setup', '--for', 'test'], { uid: NOBODY });
      expect(code).toBe(2);
      expect(stderr).toContain('sudo apt-get update\n  sudo apt-get install -y redis-server chromium');
      expect(builds()).toEqual([]);
    },
  );

  it.runIf(IS_ROOT)('that apt cannot install are listed too', async () => {
    writeNx();
    writeProgram('apt-get', 'echo "E: Unable to locate package" >&2; exit 100');
    const { code, stderr } = await cria(['setup']);
    expect(code).toBe(2);
    expect(stderr).toContain('E: Unable to locate package');
    expect(stderr).toContain('sudo apt-get install -y redis-server');
  });

  it('are of no concern where REDIS_URL names a server', async () => {
    writeNx();
    expect((await cria(['setup'], { env: { REDIS_URL: 'redis://127.0.0.1:6379' } })).code).toBe(0);
  });

  it('are listed for a system without apt', async () => {
    writeNx();
    const { code, stderr } = await cria(['setup']);
    expect(code).toBe(2);
    expect(stderr).toContain(
      process.platform === 'darwin' ? 'brew install redis' : "install with this system's package manager",
    );
  });
});

describe('the native engine', () => {
  it('without a compiler is given up with one clear line', async () => {
    writeNx();
    writeProgram('redis-server', '');
    mkdirSync(join(clone, 'libs/kernels'));
    writeFileSync(
      join(clone, 'libs/kernels/build-addon.mjs'),
      "console.error('no compiler'); process.exit(1);",
    );
    const { code, stdout, stderr } = await cria(['setup', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ nativeAddon: false });
    expect(stderr).toContain('no native engine on this machine: the tfjs engine is used');
  });
});

describe('cria doctor', () => {
  it('names what is missing with the command that mends it', async () => {
    const { code, stdout } = await cria(['doctor', '--json']);
    expect(code).toBe(2);
    const { ok, checks } = JSON.parse(stdout) as {
      ok: boolean;
      checks: Array<{ name: string; ok: boolean; mend: string }>;
    };
    expect(ok).toBe(false);
    expect(checks.find(({ name }) => name === 'dependencies')).toMatchObject({ ok: false, mend: 'npm ci' });
    expect(checks.find(({ name }) => name === 'redis-server')?.mend).toContain('redis');
    expect(checks.find(({ name }) => name === 'Node')).toMatchObject({ ok: true, mend: null });
  });

  it('is content where only the tests would miss something', async () => {
    writeNx();
    writeProgram('redis-server', 'echo "Redis server v=7"');
    await cria(['setup']);
    const { code, stdout } = await cria(['doctor'], { env: { PATH: [bin].join(delimiter) } });
    expect(stdout).toMatch(/ok +redis-server +.*Redis server v=7/);
    expect(stdout).toMatch(/absent +chromium/);
    expect(code).toBe(0);
  });

  it('says what a worker here computes with, and why', async () => {
    writeMain({ choices: [{ name: 'precision', value: 'f32', why: 'no avx512bf16' }] });
    expect((await cria(['doctor'])).stdout).toMatch(/ok +precision +f32: no avx512bf16\n/);
    writeMain({ error: { message: 'no engine: run npm ci' } });
    expect((await cria(['doctor'])).stdout).toMatch(/MISSING +engine +mend: no engine: run npm ci\n/);
  });

  /** Stands in for the compiled program: answers every command with this. */
  function writeMain(answer: object): void {
    mkdirSync(join(clone, 'apps/cli/dist'), { recursive: true });
    const text = `export const main = () => (console.log(${JSON.stringify(JSON.stringify(answer))}), 0);`;
    writeFileSync(join(clone, 'apps/cli/dist/main.js'), text);
  }
});
