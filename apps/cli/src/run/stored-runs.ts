// The runs that lie on this disk, from the few lines of each that say what it is: run.json and the last row of metrics.jsonl.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_FILE } from '@cria/metrics';
import { CriaError } from '@cria/runtime';
import { fieldsOf } from '../watch/run-data.js';
import { isAlive, readRunFile } from './run-file.js';

export interface StoredRun {
  readonly directory: string;
  /** For people; may be anything. */
  readonly run: string;
  readonly project: string | null;
  readonly source: 'cria' | 'logged';
  /** `unknown`: it says that it runs, and no process of this machine does that. */
  readonly phase: string;
  /** Steps committed; 0 before the first. */
  readonly steps: number;
  readonly loss: number | null;
  readonly updatedWallMs: number | null;
}

/** A row is below this, a step of a logged run with hundreds of metrics too. */
const TAIL_BYTES = 64 * 1024;

/**
 * The runs in a directory, those that did something last first.
 *
 * @throws RUN_NOT_FOUND when the directory cannot be read
 */
export function storedRuns(parent: string): StoredRun[] {
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch (cause) {
    throw new CriaError('RUN_NOT_FOUND', `${parent} cannot be read: name the directory of runs`, { cause });
  }
  return names
    .map((name) => join(parent, name))
    .filter(isRun)
    .map(readStoredRun)
    .sort((a, b) => (b.updatedWallMs ?? 0) - (a.updatedWallMs ?? 0));
}

function isRun(directory: string): boolean {
  return existsSync(join(directory, METRICS_FILE));
}

function readStoredRun(directory: string): StoredRun {
  const file = runFileOf(directory);
  const row = fieldsOf(lastRow(join(directory, METRICS_FILE)));
  const { run, project, source, phase } = fieldsOf(file);
  const isLogged = source === 'logged';
  const isStale = file !== null && !isLogged && phase === 'running' && !isAlive(file);
  return {
    directory,
    run: typeof run === 'string' ? run : directory,
    project: typeof project === 'string' ? project : null,
    source: isLogged ? 'logged' : 'cria',
    phase: typeof phase === 'string' && !isStale ? phase : 'unknown',
    steps: typeof row['step'] === 'number' ? row['step'] + 1 : 0,
    loss: typeof row['loss'] === 'number' ? row['loss'] : null,
    updatedWallMs: typeof row['wallMs'] === 'number' ? row['wallMs'] : null,
  };
}

function runFileOf(directory: string): ReturnType<typeof readRunFile> {
  try {
    return readRunFile(directory);
  } catch {
    // A damaged run.json: the metrics still say something.
    return null;
  }
}

/** The last whole line that can be read; null when there is none in the file's end. */
function lastRow(path: string): unknown {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    for (const line of bytes.toString().split('\n').reverse()) {
      const row = parsed(line);
      if (typeof fieldsOf(row)['step'] === 'number') return row;
    }
    return null;
  } finally {
    closeSync(file);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}
