// `cria setup --tensorflow` in a clone of its own, with programs that stand in for npm, pip and the compiler: the real
// ones fetch 274 MB. What they leave behind has the shape of the real thing, down to the script that loads it.
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { installedTensorFlow } from '@cria/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCria, type CriaResult } from '../testing/run-cria.js';

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const TFJS_NODE = '@tensorflow/tfjs-node';

let clone = '';
let bin = '';
let cache = '';

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'cria-tensorflow-'));
  [bin, cache] = [join(clone, 'programs'), join(clone, 'cache')];
  mkdirSync(bin);
  for (const part of ['bin', 'launcher'])
    cpSync(join(PACKAGE, part), join(clone, 'apps/cli', part), { recursive: true });
  for (const name of ['package-lock.json', 'tsconfig.base.json', 'nx.json'])
    writeFileSync(join(clone, name), '{}');
  mkdirSync(join(clone, 'node_modules/nx/dist/bin'), { recursive: true });
  writeFileSync(join(clone, 'node_modules/nx/dist/bin/nx.js'), '');
  for (const name of ['sh', 'env', 'cat', 'chmod', 'mkdir', 'true', 'cp', 'sleep'])
    symlinkSync(`/usr/bin/${name}`, join(bin, name));
  for (const [name, text] of Object.entries({
    npm: NPM,
    python3: PYTHON,
    'c++': COMPILER,
    'redis-server': '',
  }))
    writeProgram(name, text);
  writePackage('process.exit(1)');
});

afterEach(() => rmSync(clone, { recursive: true }));

function writeProgram(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

const NPM = 'cp -r "$PACKAGES/node_modules" node_modules';
/** pip answers, a wheel comes, the wheel unpacks. */
const PYTHON = `case "$*" in
  *"import sys, pip"*) ;;
  *download*) : > wheel/tensorflow.whl ;;
  *) mkdir -p "$4/lib" "$4/include" ;;
esac`;
const COMPILER = 'while [ "$1" != -o ]; do shift; done; : > "$2"';

/** The binding's npm package: it loads where a compiler or its installer has left the addon. */
function writePackage(installer: string): void {
  const folder = join(clone, 'packages/node_modules', TFJS_NODE);
  for (const part of ['scripts', 'binding']) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"@tensorflow/tfjs-node","main":"index.js"}');
  writeFileSync(join(folder, 'binding/tfjs_binding.cc'), '');
  writeFileSync(join(folder, 'scripts/install.js'), installer);
  writeFileSync(
    join(folder, 'index.js'),
    `require('node:fs').readFileSync(__dirname + '/lib/napi-v8/tfjs_binding.node');
     const backend = () => ({ binding: { TF_Version: '2.0.1' } });
     const matMul = () => ({ dataSync: () => [3] });
     module.exports = { ones() {}, matMul, backend, getBackend: () => 'tensorflow' };`,
  );
}

const INSTALLS = `require('node:fs').mkdirSync('lib/napi-v8', { recursive: true });
  require('node:fs').writeFileSync('lib/napi-v8/tfjs_binding.node', '');`;

const environment = (): NodeJS.ProcessEnv => ({
  PATH: bin,
  REDIS_URL: '',
  XDG_CACHE_HOME: cache,
  PACKAGES: join(clone, 'packages'),
});
const script = (): string => join(clone, 'apps/cli/bin/cria.mjs');
const cria = (...args: string[]): Promise<CriaResult> =>
  runCria(args, { cwd: clone, script: script(), env: environment() });
const setUp = (...more: string[]): Promise<CriaResult> =>
  cria('setup', '--tensorflow', 'cpu', '--json', ...more);
/** Everything in the folder, finished or not. */
const inCache = (): string[] => {
  const folder = join(cache, 'cria/tensorflow');
  return existsSync(folder) ? readdirSync(folder) : [];
};
const isUsable = (): boolean => installedTensorFlow(TFJS_NODE, { XDG_CACHE_HOME: cache }) !== null;

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('cria setup --tensorflow cpu', () => {
  it('uses the own installer of the package where that works, and fetches nothing a second time', async () => {
    writePackage(INSTALLS);
    for (const name of ['python3', 'c++']) rmSync(join(bin, name));
    expect(JSON.parse((await setUp()).stdout)).toMatchObject({
      tensorflow: { from: 'installer', tensorflow: '2.0.1' },
      fetched: true,
    });
    expect(isUsable()).toBe(true);
    rmSync(join(bin, 'npm'));
    expect(JSON.parse((await setUp()).stdout)).toMatchObject({ ok: true, fetched: false });
  });

  it('takes the library out of its wheel where the installer fails, and says why', async () => {
    writePackage('throw new Error("getaddrinfo ENOTFOUND bucket")');
    const { code, stdout, stderr } = await setUp();
    expect(stderr).toContain(
      'cannot fetch the library here (Error: getaddrinfo ENOTFOUND bucket); taking it from its',
    );
    expect(JSON.parse(stdout)).toMatchObject({ tensorflow: { from: 'wheel', tensorflow: '2.0.1' } });
    expect(code).toBe(0);
    expect(inCache()).toEqual(['cpu']);
    expect(isUsable()).toBe(true);
  });

  it('leaves nothing behind when pip finds another hash', async () => {
    writeProgram(
      'python3',
      `case "$*" in *"-m pip"*) echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2; echo "ERROR: Expected sha256" >&2; exit 1 ;; esac`,
    );
    await expectFailure(
      1,
      'what arrived is damaged (its hash is not the pinned one); run `cria setup --tensorflow cpu`',
    );
  });

  it('leaves nothing behind when npm finds another hash, or nothing at all', async () => {
    writeProgram('npm', 'echo "npm error code EINTEGRITY" >&2; exit 1');
    await expectFailure(1, 'npm could not fetch @tensorflow/tfjs-node: what arrived is damaged');
    writeProgram('npm', 'echo "npm error network timeout" >&2; exit 1');
    await expectFailure(
      1,
      'npm error network timeout; nothing was installed, run `cria setup --tensorflow cpu` again',
    );
  });

  it('names Python and the command where there is none, or one without pip', async () => {
    writeProgram('python3', 'exit 1');
    await expectFailure(2, 'Python 3 with pip is missing: ');
    rmSync(join(bin, 'python3'));
    await expectFailure(2, 'python3-pip');
  });

  it('names the compiler and the command where there is none', async () => {
    rmSync(join(bin, 'c++'));
    await expectFailure(2, 'a C++ compiler is missing: ');
  });

  it("shows the compiler's own words", async () => {
    writeProgram('c++', 'echo "tfjs_backend.cc:20: fatal error: c_api.h: No such file" >&2; exit 1');
    await expectFailure(1, 'the binding does not compile: tfjs_backend.cc:20: fatal error: c_api.h');
  });

  it('does not put in place what does not load', async () => {
    writeProgram('c++', 'true');
    await expectFailure(1, 'TensorFlow was fetched but does not load here: ');
  });

  it.each(['npm', 'python3', 'c++'])('says where there is no space when %s fills the disk', async (name) => {
    const pip = 'case "$*" in *"import sys, pip"*) exit 0 ;; esac;';
    writeProgram(
      name,
      `${name === 'python3' ? pip : ''} echo "OSError: [Errno 28] No space left on device" >&2; exit 1`,
    );
    await expectFailure(
      1,
      'needs 1.7 GiB there while it is set up; free some, or name a folder on a larger disk',
    );
  });

  it('never uses what a killed set-up has left, and clears it away the next time', async () => {
    writeProgram('c++', `: > "${clone}/compiling"; sleep 60`);
    const child = spawn(process.execPath, [script(), 'setup', '--tensorflow', 'cpu'], {
      cwd: clone,
      env: environment(),
      stdio: 'ignore',
    });
    while (!existsSync(join(clone, 'compiling'))) await sleep(20);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(inCache()).toEqual([`.building-cpu-${child.pid}`]);
    expect(isUsable()).toBe(false);
    expect((await cria('doctor')).stdout).toMatch(
      /absent +TensorFlow cpu +mend: npx cria setup --tensorflow cpu\n/,
    );
    writeProgram('c++', COMPILER);
    expect((await setUp()).code).toBe(0);
    expect(inCache()).toEqual(['cpu']);
  });

  it('goes away cleanly on SIGTERM', async () => {
    writeProgram('c++', `: > "${clone}/compiling"; sleep 60`);
    const child = spawn(process.execPath, [script(), 'setup', '--tensorflow', 'cpu'], {
      cwd: clone,
      env: environment(),
      stdio: 'ignore',
    });
    while (!existsSync(join(clone, 'compiling'))) await sleep(20);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
    expect(inCache()).toEqual([]);
  });

  it('sets up anew what another version of Cria has left', async () => {
    await setUp();
    const manifest = join(cache, 'cria/tensorflow/cpu/installed.json');
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"layout":\d+/, '"layout":0'));
    expect(isUsable()).toBe(false);
    expect((await cria('doctor')).stdout).toContain(
      'mend: npx cria setup --tensorflow cpu (what is there is outdated)',
    );
    expect(JSON.parse((await setUp()).stdout)).toMatchObject({ fetched: true });
    expect(isUsable()).toBe(true);
  });

  it('is reported by doctor and taken away by remove', async () => {
    await setUp();
    expect((await cria('doctor')).stdout).toMatch(/ok +TensorFlow cpu +2\.0\.1 in /);
    expect(JSON.parse((await cria('setup', '--tensorflow', 'remove', '--json')).stdout).removed).toEqual([
      'cpu',
    ]);
    expect(isUsable()).toBe(false);
    expect((await cria('setup', '--tensorflow', 'remove')).stderr).toContain('there was no TensorFlow');
  });

  async function expectFailure(exitCode: number, sentence: string): Promise<void> {
    const { code, stderr } = await setUp();
    const last = stderr.trim().split('\n').at(-1) ?? '';
    expect(last).toContain(sentence);
    expect(code).toBe(exitCode);
    expect(inCache()).toEqual([]);
  }
});

it('cria setup refuses a TensorFlow that it does not know', async () => {
  expect(await cria('setup', '--tensorflow', 'tpu')).toMatchObject({
    code: 2,
    stderr: 'cria: setup: --tensorflow wants cpu or gpu or remove, got "tpu"\n',
  });
});
