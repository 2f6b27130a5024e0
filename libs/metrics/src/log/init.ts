// `init`, `run.log`, `run.finish`: logging from any program to the dashboard (docs/logging.md).
import { CriaError, randomId, systemClock } from '@cria/runtime';
import type { Clock } from '@cria/runtime';
import { LoggedRun } from './logged-run.js';
import { makeRunDirectory, readRunFile, writeConfig, writeRunFile } from './run-directory.js';
import type { LoggedRunFile } from './run-directory.js';

export interface InitOptions {
  /** What the run belongs to; runs of one project are compared. */
  readonly project: string;
  /** Plain data; shown, searched and compared by its flat keys. */
  readonly config?: unknown;
  /** Default: `runs/<name>`, then `-2`, `-3`, ... */
  readonly dir?: string;
  /** For people. Default: the project's. */
  readonly name?: string;
  /** How many steps there will be, for progress and time left. */
  readonly steps?: number;
  /** Goes on with the run in `dir` (or `runs/<name>`): a new segment of the same run. */
  readonly resume?: boolean;
}

export interface InitSurroundings {
  readonly clock: Clock;
  /** Told once when the disk refuses rows, and with null when it takes them again. */
  readonly onTrouble: (error: CriaError | null) => void;
}

const AMBIENT: InitSurroundings = { clock: systemClock, onTrouble: warn };

/**
 * Begins a run and makes its directory. It ends with `finish`, or with the process: as finished where that exits with
 * 0, as failed otherwise.
 *
 * @throws RUN_EXISTS, STORAGE_FAILED or USAGE, each saying what to do
 */
export function init(options: InitOptions, surroundings: InitSurroundings = AMBIENT): LoggedRun {
  const { project, config = {}, steps = null, resume = false } = options;
  if (typeof project !== 'string' || project === '') throw new CriaError('USAGE', 'project is a name');
  const name = options.name ?? project;
  const dir = makeRunDirectory({ dir: options.dir ?? null, name, resume });
  const { clock, onTrouble } = surroundings;
  const before = readRunFile(dir);
  const file: LoggedRunFile = {
    run: name,
    runId: before?.runId ?? randomId(),
    ...{ source: 'logged', project, phase: 'running' },
    startedWallMs: before?.startedWallMs ?? clock.wallMs(),
    ...{ endedWallMs: null, failure: null, steps },
  };
  try {
    writeConfig(dir, config);
    writeRunFile(dir, file);
  } catch (error) {
    throw CriaError.from(error, 'STORAGE_FAILED');
  }
  const onExit = (exitCode: number): void => run.exited(exitCode);
  const onFinish = (): void => void process.off('exit', onExit);
  const run = new LoggedRun({ dir, file, config, resumed: before !== null, clock, onTrouble, onFinish });
  process.once('exit', onExit);
  return run;
}

function warn(error: CriaError | null): void {
  process.stderr.write(error === null ? 'cria: the disk takes metrics again\n' : `cria: ${error.message}\n`);
}
