// run.json: where a run's processes are, for commands on this machine; written whole and renamed.
import { CriaError, randomId, systemCode } from '@cria/runtime';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunFile } from '../options.js';

export const RUN_FILE = 'run.json';

export function writeRunFile(outDir: string, file: RunFile): void {
  const path = join(outDir, RUN_FILE);
  const temporary = writeTemporary(path, file);
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
  const temporary = writeTemporary(path, { ...file, token });
  try {
    linkSync(temporary, path);
    return token;
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cannotWrite(path, cause);
    return readRunFile(outDir)?.token ?? token;
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

function writeTemporary(path: string, file: RunFile): string {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
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
