// Where TensorFlow lies once it was asked for: a folder of this user's cache, shared by all clones, never a project's
// dependency. libs/model/src/tfjs/installed-tensorflow.ts reads the same place; a test holds the two together.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { LAYOUT, VARIANTS } from './pins.mjs';

/** Written last: a folder without it was never finished. */
export const MANIFEST = 'installed.json';

const UNFINISHED = '.building';
const OUTGOING = '.removing';

/** $XDG_CACHE_HOME/cria/tensorflow, or the same under ~/.cache (XDG's rule: a relative path counts as none). */
export function tensorFlowFolder(environment = process.env) {
  const { XDG_CACHE_HOME: named = '' } = environment;
  return join(isAbsolute(named) ? named : join(homedir(), '.cache'), 'cria', 'tensorflow');
}

/**
 * @returns {{state: 'absent'|'outdated'|'damaged'|'ready', folder: string, manifest: object|null}}
 */
export function inspectInstallation(name) {
  const folder = join(tensorFlowFolder(), name);
  if (!existsSync(folder)) return { state: 'absent', folder, manifest: null };
  const manifest = readManifest(folder);
  if (manifest === null || !existsSync(packageFolder(folder, name))) {
    return { state: 'damaged', folder, manifest };
  }
  return { state: manifest.layout === LAYOUT ? 'ready' : 'outdated', folder, manifest };
}

/** Of the binding's npm package. */
export function packageFolder(folder, name) {
  return join(folder, 'node_modules', VARIANTS[name].packageName);
}

/** A folder beside the final one, on the same disk, for this process alone. */
export function beginBuilding(name) {
  const folder = join(tensorFlowFolder(), `${UNFINISHED}-${name}-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Takes away what killed processes left behind. */
export function sweep() {
  const root = tensorFlowFolder();
  if (!existsSync(root)) return;
  for (const entry of readdirSync(root)) {
    const [, pid] = /^\.(?:building|removing)-\w+-(\d+)$/.exec(entry) ?? [];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(root, entry), { recursive: true, force: true });
  }
}

/** The built folder becomes the one that is used, in one step; what was there before goes. */
export function putInPlace(building, name) {
  takeAway(name);
  renameSync(building, join(tensorFlowFolder(), name));
}

/** @returns whether there was anything. It is out of use at once, however long the deletion takes. */
export function takeAway(name) {
  const folder = join(tensorFlowFolder(), name);
  if (!existsSync(folder)) return false;
  const outgoing = join(tensorFlowFolder(), `${OUTGOING}-${name}-${process.pid}`);
  renameSync(folder, outgoing);
  rmSync(outgoing, { recursive: true, force: true });
  return true;
}

function readManifest(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8'));
  } catch {
    return null;
  }
}

function isAlive(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
