// The directory of a logged run: which one, and the two files that say what it is (docs/http-api.md, "Files that make a
// run").
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CriaError } from '@cria/runtime';

export interface LoggedRunFile {
  /** For people; may be anything. */
  readonly run: string;
  readonly runId: string;
  readonly source: 'logged';
  readonly project: string;
  readonly phase: 'running' | 'finished' | 'failed';
  readonly startedWallMs: number;
  readonly endedWallMs: number | null;
  readonly failure: string | null;
  /** How many there will be, where somebody knows. */
  readonly steps: number | null;
}

const RUN_FILE = 'run.json';
const CONFIG_FILE = 'config.yaml';

/**
 * Makes the directory: `dir`, or the next free one of `runs/<name>`, `runs/<name>-2`, ...
 *
 * @throws RUN_EXISTS when `dir` holds something and this is no resume; STORAGE_FAILED when it cannot be made
 */
export function makeRunDirectory(options: { dir: string | null; name: string; resume: boolean }): string {
  const folder = resolve(options.dir ?? nextDirectory(options.name, options.resume));
  try {
    mkdirSync(folder, { recursive: true });
    if (options.resume || readdirSync(folder).length === 0) return folder;
  } catch (error) {
    throw new CriaError('STORAGE_FAILED', `the run's directory ${folder} cannot be made`, { cause: error });
  }
  throw new CriaError(
    'RUN_EXISTS',
    `${folder} holds something: name another directory, or go on with the run in it with resume: true`,
  );
}

/** Written whole and renamed: whoever reads it never sees half of it. */
export function writeRunFile(folder: string, file: LoggedRunFile): void {
  const path = join(folder, RUN_FILE);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

/**
 * The file of the life before; null when there is none or it is damaged.
 *
 * @throws USAGE when the directory is that of a run which was not logged: nobody else writes into it
 */
export function readRunFile(folder: string): LoggedRunFile | null {
  const file = parsedRunFile(folder);
  if (file === null || typeof file.runId !== 'string') return null;
  if (file.source === 'logged') return file as LoggedRunFile;
  throw new CriaError('USAGE', `${folder} is the directory of a run that was trained, not logged`);
}

function parsedRunFile(folder: string): Partial<LoggedRunFile> | null {
  try {
    return JSON.parse(readFileSync(join(folder, RUN_FILE), 'utf8')) as Partial<LoggedRunFile> | null;
  } catch {
    return null;
  }
}

/** JSON is YAML too. Throws USAGE when the configuration is not plain data. */
export function writeConfig(folder: string, config: unknown): void {
  let text: string;
  try {
    text = JSON.stringify(config, null, 2);
  } catch (error) {
    throw new CriaError('USAGE', `config is not plain data: ${String(error)}`, { cause: error });
  }
  writeFileSync(join(folder, CONFIG_FILE), `${text}\n`);
}

function nextDirectory(name: string, resume: boolean): string {
  const first = join('runs', name.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '_'));
  if (resume || !existsSync(first)) return first;
  for (let n = 2; ; n++) {
    if (!existsSync(`${first}-${n}`)) return `${first}-${n}`;
  }
}
