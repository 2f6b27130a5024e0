// `cria setup --tensorflow cpu|gpu|remove`: TensorFlow's own library under the tfjs engine. Built beside its place and
// renamed into it when it has computed something, so whatever is in that place works.
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LauncherError } from '../launcher-error.mjs';
import { findCompiler, findProgram, packageManager } from '../machine.mjs';
import {
  beginBuilding,
  inspectInstallation,
  MANIFEST,
  putInPlace,
  sweep,
  takeAway,
  tensorFlowFolder,
} from './cache.mjs';
import { LAYOUT, TFJS_NODE_VERSION, VARIANTS } from './pins.mjs';
import {
  compileBinding,
  fetchLibrary,
  fetchPackage,
  loadLibrary,
  outOfSpace,
  tryOwnInstaller,
} from './steps.mjs';

/**
 * @param {'cpu'|'gpu'} name
 * @param {object} options
 * @param {'auto'|'installer'|'wheel'} options.from
 * @param {(line: string) => void} options.note
 * @returns {Promise<{ok: true, tensorflow: object, folder: string, fetched: boolean}>}
 * @throws LauncherError in one line: exit code 2 when a program is missing, 1 when something failed
 */
export async function setUpTensorFlow(name, { from, note }) {
  sweep();
  const { state, folder, manifest } = inspectInstallation(name);
  if (state === 'ready' && (from === 'auto' || from === manifest.from)) {
    note(`setup: TensorFlow ${manifest.tensorflow} (${name}) is already in ${folder}`);
    return { ok: true, tensorflow: manifest, folder, fetched: false };
  }
  const fresh = await untilSignal((signal) => build(VARIANTS[name], { from, note, signal }));
  note(`setup: TensorFlow ${fresh.tensorflow} (${name}) is in ${folder}`);
  return { ok: true, tensorflow: fresh, folder, fetched: true };
}

/** @returns {{ok: true, removed: string[]}} */
export function removeTensorFlow({ note }) {
  sweep();
  const removed = Object.keys(VARIANTS).filter((name) => takeAway(name));
  note(
    `setup: ${removed.length === 0 ? 'there was no TensorFlow' : `removed TensorFlow (${removed.join(', ')})`}`,
  );
  return { ok: true, removed };
}

async function build(variant, { from, note, signal }) {
  const npm = findProgram('npm');
  if (npm === null)
    throw new LauncherError('npm is not on PATH: it comes with Node, and it fetches the binding', 2);
  const building = makeFolder(variant);
  const job = { variant, building, signal };
  try {
    await fetchPackage(job, npm);
    const library = await bringLibrary(job, { from, note });
    const manifest = { layout: LAYOUT, variant: variant.name, tfjsNode: TFJS_NODE_VERSION, ...library };
    writeFileSync(join(building, MANIFEST), `${JSON.stringify(manifest)}\n`);
    putInPlace(building, variant.name);
    return manifest;
  } catch (error) {
    throw error.code === 'ENOSPC' ? outOfSpace(variant) : error;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** @returns {Promise<{from: 'installer'|'wheel', tensorflow: string}>} where it came from, and its version */
async function bringLibrary(job, { from, note }) {
  const { variant } = job;
  if (from !== 'wheel') {
    const { version, why } = await tryOwnInstaller(job);
    if (version !== null) return { from: 'installer', tensorflow: version };
    if (from === 'installer')
      throw new LauncherError(`the installer of ${variant.packageName} failed: ${why}`, 1);
    note(
      `setup: the installer of ${variant.packageName} cannot fetch the library here (${why}); taking it from its wheel`,
    );
  }
  const { python, compiler } = expectPrograms(variant);
  await fetchLibrary(job, python);
  await compileBinding(job, compiler);
  const { version, why } = await loadLibrary(job);
  if (version === null) throw new LauncherError(`TensorFlow was fetched but does not load here: ${why}`, 1);
  return { from: 'wheel', tensorflow: version };
}

/** @throws LauncherError (exit code 2) naming all that is missing and the one command that brings it */
function expectPrograms({ name }) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new LauncherError(
      `TensorFlow's library is fetched for Linux on x86-64 only, this is ${process.platform} ${process.arch}: ` +
        'use --engine native, or --engine tfjs as it is (wasm)',
      2,
    );
  }
  const python = findPython();
  const compiler = findCompiler();
  const missing = [
    ...(python === null ? [{ what: 'Python 3 with pip', apt: 'python3-pip' }] : []),
    ...(compiler === null ? [{ what: 'a C++ compiler', apt: 'g++' }] : []),
  ];
  if (missing.length > 0) {
    const packages = missing.map(({ apt }) => apt).join(' ');
    const command =
      packageManager().manager === 'apt'
        ? `sudo apt-get install -y ${packages}`
        : `install with this system's package manager: ${packages}`;
    const what = missing.map((one) => one.what).join(' and ');
    throw new LauncherError(
      `${what} ${missing.length === 1 ? 'is' : 'are'} missing: ${command}, then \`cria setup --tensorflow ${name}\` again`,
      2,
    );
  }
  return { python, compiler };
}

/** The first Python 3 whose pip answers. */
function findPython() {
  const candidates = ['python3', 'python'].map((name) => findProgram(name)).filter((path) => path !== null);
  const hasPip = (path) =>
    spawnSync(path, ['-c', 'import sys, pip; sys.exit(sys.version_info < (3, 8))'], { timeout: 30_000 })
      .status === 0;
  return candidates.find(hasPip) ?? null;
}

/** @throws LauncherError when the disk has no room for it, or the folder cannot be made */
function makeFolder(variant) {
  let building;
  try {
    building = beginBuilding(variant.name);
  } catch (error) {
    throw new LauncherError(
      `cannot write to ${tensorFlowFolder()} (${error.message}); name another folder in XDG_CACHE_HOME`,
      2,
    );
  }
  const { bavail, bsize } = statfsSync(building);
  if (bavail * bsize >= variant.diskBytes) return building;
  rmSync(building, { recursive: true, force: true });
  throw outOfSpace(variant);
}

/** Ctrl-C and SIGTERM end the work, and what was begun goes with it. */
async function untilSignal(work) {
  const abort = new AbortController();
  const codes = { SIGINT: 130, SIGTERM: 143 };
  const handlers = Object.entries(codes).map(([name, code]) => {
    const handler = () => abort.abort(new LauncherError('interrupted; nothing was installed', code));
    process.once(name, handler);
    return () => process.removeListener(name, handler);
  });
  try {
    return await work(abort.signal);
  } finally {
    handlers.forEach((remove) => remove());
  }
}
