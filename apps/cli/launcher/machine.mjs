// What this machine has. Every probe is cheap and changes nothing.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first of `names` that is an executable file on PATH, as a full path; null when none is. */
export function findProgram(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** First line of what a program prints when asked for its version; null when it does not run. */
export function versionOf(program) {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : null;
}

export const findRedis = () => findProgram('redis-server', 'valkey-server');

export const findCompiler = () =>
  findProgram(...(process.env.CXX ? [process.env.CXX] : []), 'c++', 'g++', 'clang++');

const MAC_BROWSERS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export function findBrowser() {
  const onPath = findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
  return onPath ?? MAC_BROWSERS.find((path) => process.platform === 'darwin' && existsSync(path)) ?? null;
}

/**
 * How system packages get onto this machine: as root, through `sudo -n`, or by a person only.
 *
 * @returns {{manager: 'apt'|'brew'|null, prefix: string[]|null}} `prefix` goes before the command; null = ask a person
 */
export function packageManager() {
  if (process.platform === 'darwin') return { manager: 'brew', prefix: null };
  if (findProgram('apt-get') === null) return { manager: null, prefix: null };
  if (process.getuid?.() === 0) return { manager: 'apt', prefix: [] };
  const sudo = findProgram('sudo');
  const mayAct = sudo !== null && spawnSync(sudo, ['-n', 'true'], { timeout: 10_000 }).status === 0;
  return { manager: 'apt', prefix: mayAct ? [sudo, '-n'] : null };
}
