// run.json: where a run's processes are, for commands on this machine; written whole and renamed.
import { CriaError, systemCode } from '@cria/runtime';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunFile } from './options.js';

export const RUN_FILE = 'run.json';

export function writeRunFile(outDir: string, file: RunFile): void {
  const path = join(outDir, RUN_FILE);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (cause) {
    throw new CriaError('STORAGE_FAILED', `${path} cannot be written: ${String(cause)}`, { cause });
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
