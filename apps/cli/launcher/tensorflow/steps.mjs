// The steps of the recipe, each a program that checks what it fetches: npm (integrity of the lock file), pip (hash),
// Python's zipfile (CRC), the C++ compiler, and at last Node, which loads the result and multiplies two matrices.
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LauncherError } from '../launcher-error.mjs';
import { tensorFlowFolder, packageFolder } from './cache.mjs';
import { TFJS_NODE_VERSION, WHEEL_TAGS } from './pins.mjs';
import { runWatched } from './run-watched.mjs';

const NETWORK_STALL_MS = 120_000;
const WORK_STALL_MS = 600_000;

/** @typedef {{variant: import('./pins.mjs').Variant, building: string, signal: AbortSignal}} Job */

/** The binding's JavaScript and C++ source, without anybody's install script. */
export async function fetchPackage(job, npm) {
  const { variant, building } = job;
  for (const file of ['package.json', 'package-lock.json']) {
    copyFileSync(fileURLToPath(new URL(`${variant.name}/${file}`, import.meta.url)), join(building, file));
  }
  const outcome = await run(job, npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev'], {
    label: `fetching ${variant.packageName} ${TFJS_NODE_VERSION} with npm`,
    growing: join(building, 'node_modules'),
    stallMs: NETWORK_STALL_MS,
  });
  expectDone(job, outcome, `npm could not fetch ${variant.packageName}`);
}

/** The package's own installer, which knows one place only. Resolves as {@link loadLibrary}. */
export async function tryOwnInstaller(job) {
  const folder = packageFolder(job.building, job.variant.name);
  const outcome = await run(
    job,
    process.execPath,
    ['scripts/install.js', ...job.variant.installerArguments],
    {
      label: `running the installer of ${job.variant.packageName}`,
      cwd: folder,
      growing: folder,
      stallMs: NETWORK_STALL_MS,
    },
  );
  if (isOutOfSpace(outcome)) throw outOfSpace(job.variant);
  const loaded = outcome.ok ? await loadLibrary(job) : { version: null, why: outcome.words };
  if (loaded.version === null) {
    for (const part of ['deps', 'lib']) rmSync(join(folder, part), { recursive: true, force: true });
  }
  return loaded;
}

/** TensorFlow's library and its C headers out of its Python wheel. */
export async function fetchLibrary(job, python) {
  const { distribution, version, sha256, sizeBytes } = job.variant.wheel;
  const wheels = join(job.building, 'wheel');
  const scratch = join(job.building, 'scratch');
  for (const folder of [wheels, scratch]) mkdirSync(folder);
  const requirements = join(job.building, 'requirements.txt');
  writeFileSync(requirements, `${distribution}==${version} --hash=sha256:${sha256}\n`);
  const flags = [
    '--no-deps',
    '--require-hashes',
    '--only-binary=:all:',
    '--no-cache-dir',
    '--progress-bar',
    'off',
  ];
  const args = [
    '-m',
    'pip',
    'download',
    '--no-input',
    '--disable-pip-version-check',
    ...flags,
    ...WHEEL_TAGS,
  ];
  const fetched = await run(job, python, [...args, '--dest', wheels, '--requirement', requirements], {
    label: `fetching ${distribution} ${version} with pip`,
    growing: scratch,
    totalBytes: sizeBytes,
    stallMs: NETWORK_STALL_MS,
    env: { ...process.env, TMPDIR: scratch, PIP_REQUIRE_VIRTUALENV: '0' },
  });
  expectDone(job, fetched, `pip could not fetch ${distribution} ${version}`);
  const wheel = readdirSync(wheels).find((name) => name.endsWith('.whl')) ?? 'none';
  const deps = join(packageFolder(job.building, job.variant.name), 'deps');
  const unpacked = await run(job, python, ['-c', UNPACK, join(wheels, wheel), deps], {
    label: 'unpacking the library',
    growing: deps,
    stallMs: WORK_STALL_MS,
  });
  expectDone(job, unpacked, `${wheel} does not unpack`);
  for (const path of [wheels, scratch, requirements]) rmSync(path, { recursive: true });
}

// Reads every byte that it needs, so zipfile has checked every CRC.
const UNPACK = `
import os, shutil, sys, zipfile
wheel, deps = sys.argv[1:]
libraries = ('tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2')
headers = ('tensorflow/c/', 'tensorflow/core/platform/', 'tsl/platform/', 'xla/tsl/c/')
found = 0
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        inside = name[len('tensorflow/include/'):] if name.startswith('tensorflow/include/') else ''
        if name in libraries:
            target = os.path.join(deps, 'lib', os.path.basename(name))
            found += 1
        elif inside.startswith(headers) and inside.endswith('.h'):
            target = os.path.join(deps, 'include', inside)
        else:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(name) as source, open(target, 'wb') as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
if found != len(libraries):
    sys.exit('error: the wheel holds no libtensorflow_cc.so.2')
`;

/** The official binding, unpatched, against that library. */
export async function compileBinding(job, compiler) {
  const folder = packageFolder(job.building, job.variant.name);
  const output = join(folder, 'lib/napi-v8/tfjs_binding.node');
  mkdirSync(dirname(output), { recursive: true });
  const sources = readdirSync(join(folder, 'binding'))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join('binding', name));
  const headers = join(job.building, 'node_modules/node-api-headers/include');
  const libraries = ['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'];
  const args = [
    ...[
      '-O2',
      '-std=c++17',
      '-fPIC',
      '-shared',
      '-DNAPI_VERSION=8',
      '-I',
      headers,
      '-I',
      'deps/include',
      ...sources,
    ],
    ...['-o', output, '-L', 'deps/lib', ...libraries, '-Wl,-rpath,$ORIGIN/../../deps/lib'],
  ];
  const outcome = await run(job, compiler, args, {
    label: 'compiling the binding',
    cwd: folder,
    growing: null,
    stallMs: WORK_STALL_MS,
    env: { ...process.env, TMPDIR: job.building },
  });
  expectDone(job, outcome, 'the binding does not compile');
}

/**
 * Whether the package in the building folder computes, asked of a process of its own.
 *
 * @returns {Promise<{version: string|null, why: string}>} TensorFlow's own version, or null and the reason
 */
export async function loadLibrary(job) {
  const outcome = await run(
    job,
    process.execPath,
    ['-e', LOAD, packageFolder(job.building, job.variant.name)],
    {
      label: 'loading TensorFlow',
      growing: null,
      stallMs: NETWORK_STALL_MS,
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
    },
  );
  return outcome.ok ? { version: outcome.words, why: '' } : { version: null, why: outcome.words };
}

const LOAD = `
const util = require('node:util');
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
const tf = require(process.argv[1]);
const [sum] = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync();
if (tf.getBackend() !== 'tensorflow' || sum !== 3) throw new Error('TensorFlow does not compute');
console.log(tf.backend().binding.TF_Version);
`;

function run({ building, signal }, program, args, options) {
  return runWatched(program, args, { cwd: building, totalBytes: null, ...options, signal });
}

/** @throws LauncherError in one line with what helps */
function expectDone({ variant }, outcome, what) {
  if (outcome.ok) return;
  const again = `\`cria setup --tensorflow ${variant.name}\``;
  if (isOutOfSpace(outcome)) throw outOfSpace(variant);
  if (/do not match the hashes|EINTEGRITY/i.test(outcome.output)) {
    throw new LauncherError(
      `${what}: what arrived is damaged (its hash is not the pinned one); run ${again} again`,
      1,
    );
  }
  throw new LauncherError(`${what}: ${outcome.words}; nothing was installed, run ${again} again`, 1);
}

const isOutOfSpace = ({ ok, output }) => !ok && /ENOSPC|no space left on device/i.test(output);

export function outOfSpace({ name, diskBytes }) {
  const needed = (diskBytes / 2 ** 30).toFixed(1);
  return new LauncherError(
    `the disk of ${tensorFlowFolder()} is full: TensorFlow (${name}) needs ${needed} GiB there while it is set up; ` +
      'free some, or name a folder on a larger disk in XDG_CACHE_HOME',
    1,
  );
}
