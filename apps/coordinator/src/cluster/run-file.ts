// run.json: where a run's processes are, for commands on this machine; written whole and renamed.
import { CriaError, randomId, systemCode } from '@cria/runtime';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunFile } from '../options.js';

export const RUN_FILE = 'run.json';

/** run.json holds the token for the POST routes. */
const PRIVATE = 0o600;

export function writeRunFile(outDir: string, file: RunFile): void {
  const path = join(outDir, RUN_FILE);
  const temporary = writeTemporary(path, textOf(file), PRIVATE);
  try {
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cannotWrite(path, cause);
  }
}

/**
 * Makes run.json unless there is one: of several coordinators that start together one makes it, and its token is the
 * run's.
 *
 * @returns the token for the POST routes
 */
export function claimRunFile(outDir: string, file: Omit<RunFile, 'token'>): string {
  const path = join(outDir, RUN_FILE);
  const known = readRunFile(outDir)?.token;
  if (known !== undefined) return known;
  const token = randomId(16);
  return makeOnce(path, textOf({ ...file, token }), PRIVATE) ? token : (readRunFile(outDir)?.token ?? token);
}

/**
 * Makes a file unless there is one: of several that do so at once one does, and nobody sees half of it.
 *
 * @returns whether this call made it
 */
export function makeOnce(path: string, text: string, mode: number): boolean {
  if (existsSync(path)) return false;
  const temporary = writeTemporary(path, text, mode);
  try {
    linkSync(temporary, path);
    return true;
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cannotWrite(path, cause);
    return false;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Null when there is none. Throws RUN_NOT_FOUND when it is not a run file. */
export function readRunFile(outDir: string): RunFile | null {
  const path = join(outDir, RUN_FILE);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunFile;
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return null;
    throw new CriaError('RUN_NOT_FOUND', `${path} cannot be read: ${String(cause)}`, { cause });
  }
}

function textOf(file: RunFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

function writeTemporary(path: string, text: string, mode: number): string {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, text, { mode });
    return temporary;
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): CriaError {
  const why = systemCode(cause) ?? String(cause);
  return new CriaError('STORAGE_FAILED', `cannot write ${path}: ${why}; free space or permit writing there`, {
    context: { path, why },
    cause,
  });
}
