// Builds what is not built or stale. Nx knows what is stale but takes seconds to say so, so a stamp over the
// sources' names, sizes and times answers first.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LauncherError } from './launcher-error.mjs';
import { ADDON_BUILDER, BUILD_STAMP, NX, ROOT, WORKSPACE_FOLDERS } from './places.mjs';

const SKIPPED = new Set(['dist', 'node_modules', 'build', 'static', '.svelte-kit']);
const ROOT_FILES = ['package-lock.json', 'tsconfig.base.json', 'nx.json'];

/** Whether the last build was made from the sources as they are now. */
export function isFresh() {
  return existsSync(BUILD_STAMP) && readFileSync(BUILD_STAMP, 'utf8') === sourceStamp() && allBuilt();
}

/**
 * Builds every package through Nx.
 *
 * @throws LauncherError (exit code 1) with the compiler's own words when a package does not build
 */
export async function build() {
  if (!existsSync(NX)) throw new LauncherError('dependencies are not installed: run `npm ci` first', 2);
  const stamp = sourceStamp();
  const args = [fileURLToPath(NX), 'run-many', '-t', 'build', '--outputStyle=static'];
  const { code, output } = await runCollecting(process.execPath, args);
  if (code !== 0) throw new LauncherError(`the build failed:\n${output.trim()}`, 1);
  mkdirSync(new URL('./', BUILD_STAMP), { recursive: true });
  writeFileSync(BUILD_STAMP, stamp);
}

/** Builds the native addon where this clone has one; false when there is none or it does not build here. */
export async function buildAddon(note) {
  if (!existsSync(ADDON_BUILDER)) return false;
  const { code, output } = await runCollecting(process.execPath, [fileURLToPath(ADDON_BUILDER)]);
  if (code !== 0)
    note(`setup: the native engine does not build here: ${output.trim().split('\n').slice(-3).join(' | ')}`);
  return code === 0;
}

/** Runs a program without daemons, screens or colours; stdout and stderr come back together. */
function runCollecting(program, args) {
  const quiet = { NX_DAEMON: 'false', NX_TUI: 'false', NX_NO_CLOUD: 'true', NO_COLOR: '1', FORCE_COLOR: '0' };
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...quiet },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

function allBuilt() {
  return projectFolders().every((folder) => {
    const { scripts } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
    return scripts?.build === undefined || existsSync(new URL('dist/', folder));
  });
}

function projectFolders() {
  return WORKSPACE_FOLDERS.map((name) => new URL(`${name}/`, ROOT))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => folderNames(folder).map((name) => new URL(`${name}/`, folder)))
    .filter((folder) => existsSync(new URL('package.json', folder)));
}

function folderNames(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !SKIPPED.has(entry.name))
    .map((entry) => entry.name);
}

function sourceStamp() {
  const hash = createHash('sha256').update(process.version);
  for (const name of ROOT_FILES) addFile(hash, new URL(name, ROOT));
  for (const folder of projectFolders()) addFolder(hash, folder);
  return hash.digest('hex');
}

function addFolder(hash, folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue;
    if (entry.isDirectory()) addFolder(hash, new URL(`${encodeURIComponent(entry.name)}/`, folder));
    else if (entry.isFile()) addFile(hash, new URL(encodeURIComponent(entry.name), folder));
  }
}

function addFile(hash, file) {
  const { size, mtimeMs } = statSync(file);
  hash.update(`${file.pathname} ${size} ${mtimeMs}\n`);
}
