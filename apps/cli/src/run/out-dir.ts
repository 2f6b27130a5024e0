// The directory of a run: which one, and that it can be written.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';
import { CONFIG_FILE } from './run-config-file.js';

/** A run's first files need more than this; a disk that cannot hold it is full. */
const PROBE_BYTES = 64 * 1024;

/**
 * The directory for a run; nothing is made yet.
 *
 * @param options.out as named by a person; null = `runs/<run>`, then `-2`, `-3`, ...
 * @throws CriaError RUN_EXISTS when a named one exists and `resume` is false; RUN_NOT_FOUND when there is nothing
 *   to resume
 */
export function chooseOutDir(options: { out: string | null; run: string; resume: boolean }): string {
  const { out, run, resume } = options;
  if (resume) return outDirOfResume(out, run);
  const folder = resolve(out ?? nextOutDir(run));
  if (out === null || !existsSync(folder) || readdirOf(folder).length === 0) return folder;
  throw new CriaError(
    'RUN_EXISTS',
    `${folder} exists: add --resume to continue the run in it, or name another directory with --out`,
  );
}

/** Makes the directory and writes something into it. Throws USAGE or STORAGE_FAILED with the remedy. */
export function makeOutDir(folder: string): void {
  try {
    mkdirSync(join(folder, 'logs'), { recursive: true });
    tryWriting(folder);
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

/** What the operating system answers to who writes into the directory now (`ENOSPC`); null when it lets him. */
export function refusalOf(folder: string): string | null {
  try {
    tryWriting(folder);
    return null;
  } catch (error) {
    return systemCode(error) ?? String(error);
  }
}

function tryWriting(folder: string): void {
  const probe = join(folder, `.write-test-${process.pid}`);
  try {
    writeFileSync(probe, Buffer.alloc(PROBE_BYTES), { flush: true });
  } finally {
    rmSync(probe, { force: true });
  }
}

/** The directory to resume: as named, else the newest of the run's name. Throws RUN_NOT_FOUND. */
export function outDirOfResume(out: string | null, run: string): string {
  const folder = resolve(out ?? newestOutDir(run));
  if (existsSync(join(folder, CONFIG_FILE))) return folder;
  throw new CriaError(
    'RUN_NOT_FOUND',
    `there is no run to resume in ${folder} (no ${CONFIG_FILE}): name its directory with --out, or leave --resume out`,
  );
}

function nextOutDir(run: string): string {
  const first = join('runs', run);
  if (!existsSync(first)) return first;
  for (let n = 2; ; n++) {
    if (!existsSync(`${first}-${n}`)) return `${first}-${n}`;
  }
}

function newestOutDir(run: string): string {
  const first = join('runs', run);
  const numberOf = (name: string): number => Number(name.slice(run.length + 1) || 1);
  const names = existsSync('runs') ? readdirSync('runs') : [];
  const isOurs = (name: string): boolean => name === run || /^-\d+$/.test(name.slice(run.length));
  const newest = names
    .filter((name) => name.startsWith(run) && isOurs(name))
    .sort((a, b) => numberOf(a) - numberOf(b))
    .at(-1);
  return newest === undefined ? first : join(dirname(first), newest);
}

function readdirOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw cannotWrite(folder, error);
  }
}

function cannotWrite(folder: string, cause: unknown): CriaError {
  const code = systemCode(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const sentence = `no space is left for ${folder}: free some, or name a directory on another disk with --out`;
    return new CriaError('STORAGE_FAILED', sentence, { cause });
  }
  const reason = code === null ? String(cause) : code;
  const sentence = `cannot write to ${folder} (${reason}): name a directory that you may write with --out`;
  return new CriaError('USAGE', sentence, { cause });
}
