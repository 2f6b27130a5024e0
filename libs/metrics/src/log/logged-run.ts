// A run that another program logs: the calls are those that W&B's users know, the files those that the dashboard reads.
//
// Steps only rise. Logging a step twice adds its fields to one row; going back to an earlier step (a checkpoint was
// restored) is said with `rewindTo` and leaves what comes after it as an abandoned tail, instead of a mixture of two lives.
import { join } from 'node:path';
import { CriaError } from '@cria/runtime';
import type { Clock } from '@cria/runtime';
import type { RunEventKind } from '../run-event.js';
import { EVENTS_FILE, METRICS_FILE } from '../run-files.js';
import { flattenValues } from './metric-values.js';
import type { MetricValues } from './metric-values.js';
import { writeRunFile } from './run-directory.js';
import type { LoggedRunFile } from './run-directory.js';
import { SyncLines } from './sync-lines.js';

export interface LogOptions {
  /** Default: one more than the last one logged. */
  readonly step?: number;
}

export interface LoggedRunParts {
  readonly dir: string;
  readonly file: LoggedRunFile;
  readonly config: unknown;
  readonly resumed: boolean;
  readonly clock: Clock;
  readonly onTrouble: (error: CriaError | null) => void;
  readonly onFinish: () => void;
}

export class LoggedRun {
  /** Absolute path of the run's directory. */
  readonly dir: string;
  readonly config: unknown;
  readonly #clock: Clock;
  readonly #rows: SyncLines;
  readonly #events: SyncLines;
  readonly #onTrouble: (error: CriaError | null) => void;
  readonly #onFinish: () => void;
  #file: LoggedRunFile;
  #segment = 0;
  #seq = 0;
  /** -1 before the first. */
  #step = -1;
  /** The next step may be any: a life that goes on says by its first row from where. */
  #anyStep = false;

  constructor(parts: LoggedRunParts) {
    const { dir, clock, onTrouble } = parts;
    this.dir = dir;
    this.config = parts.config;
    this.#clock = clock;
    this.#file = parts.file;
    this.#onTrouble = onTrouble;
    this.#onFinish = parts.onFinish;
    this.#rows = SyncLines.open({ path: join(dir, METRICS_FILE), clock, onTrouble });
    this.#events = SyncLines.open({ path: join(dir, EVENTS_FILE), clock, onTrouble });
    this.#goOn();
    this.#event(
      parts.resumed ? 'run-resumed' : 'run-started',
      `${this.name} ${parts.resumed ? 'goes on' : 'starts'}`,
    );
  }

  get name(): string {
    return this.#file.run;
  }

  get id(): string {
    return this.#file.runId;
  }

  get project(): string {
    return this.#file.project;
  }

  /** The step that was logged last; -1 before the first. */
  get step(): number {
    return this.#step;
  }

  /**
   * Logs numbers of one step. The disk never throws here: rows are kept in memory until it takes them.
   *
   * @throws USAGE for what is no number, a step below the last one, or a run that is finished
   */
  log(values: MetricValues, { step = this.#step + 1 }: LogOptions = {}): void {
    this.#expectRunning();
    this.#expectStep(step);
    const fields = flattenValues(values);
    if (fields.size === 0) return;
    this.#step = step;
    this.#anyStep = false;
    const row = { step, segment: this.#segment, wallMs: this.#clock.wallMs(), ...Object.fromEntries(fields) };
    this.#rows.append(JSON.stringify(row));
  }

  /** The next row belongs to `step`, which may lie before others: those become an abandoned tail. */
  rewindTo(step: number): void {
    this.#expectRunning();
    if (!isStep(step)) throw notAStep(step);
    if (step > this.#step) return;
    this.#segment++;
    this.#step = step - 1;
    this.#event('run-resumed', `goes on from step ${step}`);
  }

  /** Ends the run; with `failure` it shows as failed, for that reason. Further calls do nothing. */
  finish({ failure }: { failure?: string | Error } = {}): void {
    if (this.#file.phase !== 'running') return;
    const reason = failure === undefined ? null : failure instanceof Error ? failure.message : failure;
    const phase = reason === null ? 'finished' : 'failed';
    this.#event(`run-${phase}`, reason ?? `${this.name} has finished`);
    this.#file = { ...this.#file, phase, failure: reason, endedWallMs: this.#clock.wallMs() };
    for (const end of [
      () => this.#rows.close(),
      () => this.#events.close(),
      () => writeRunFile(this.dir, this.#file),
    ]) {
      this.#quietly(end);
    }
    this.#onFinish();
  }

  /** What a process that ends without `finish` does. */
  exited(exitCode: number): void {
    this.finish(exitCode === 0 ? {} : { failure: `the process ended with exit code ${exitCode}` });
  }

  /** Rows of earlier lives: this one is a new segment behind them. */
  #goOn(): void {
    const row = parsed(this.#rows.lastLine());
    const event = parsed(this.#events.lastLine());
    if (isStep(event?.['seq'])) this.#seq = event['seq'];
    if (!isStep(row?.['step'])) return;
    this.#step = row['step'];
    this.#segment = isStep(row['segment']) ? row['segment'] + 1 : 1;
    this.#anyStep = true;
  }

  #event(kind: RunEventKind, text: string): void {
    const event = { seq: ++this.#seq, wallMs: this.#clock.wallMs(), kind, step: this.#step + 1, text };
    this.#events.append(JSON.stringify(event));
  }

  #expectRunning(): void {
    if (this.#file.phase !== 'running') throw new CriaError('USAGE', `the run "${this.name}" is finished`);
  }

  #expectStep(step: number): void {
    if (!isStep(step)) throw notAStep(step);
    if (step >= this.#step || this.#anyStep) return;
    throw new CriaError(
      'USAGE',
      `step ${step} comes after step ${this.#step}: steps of a run rise. rewindTo(${step}) goes back on purpose`,
    );
  }

  #quietly(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onTrouble(CriaError.from(error, 'STORAGE_FAILED'));
    }
  }
}

function isStep(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function notAStep(step: unknown): CriaError {
  return new CriaError('USAGE', `a step is a whole number from 0 on, not ${String(step)}`);
}

function parsed(line: string | null): Record<string, unknown> | null {
  try {
    return JSON.parse(line ?? 'null') as Record<string, unknown> | null;
  } catch {
    return null;
  }
}
