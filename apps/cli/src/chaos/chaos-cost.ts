// What the blows cost, from the run's own metrics: lost time, further attempts, speed with and without.
import { join } from 'node:path';
import { METRICS_FILE, parseStepMetrics, type StepMetrics } from '@cria/metrics';
import { TailFile } from '../up/tail-file.js';

/** Steps before the first blow that the undisturbed speed is taken from. */
const BASELINE_STEPS = 50;

export interface ChaosCost {
  /** Steps committed meanwhile. */
  readonly steps: number;
  readonly lostSeconds: number;
  /** Exchanges beyond one a step. */
  readonly furtherAttempts: number;
  readonly tokensPerSecond: {
    /** All tokens of the time under blows over that time. */
    readonly disturbed: number;
    /** Before the first blow; null when too few steps were there. */
    readonly undisturbed: number | null;
  };
  /** From a blow to the next commit. */
  readonly nextCommitSeconds: { readonly p50: number; readonly p95: number; readonly max: number } | null;
}

export class CostMeter {
  readonly #file: TailFile;
  #before: StepMetrics[] = [];
  readonly #rows: StepMetrics[] = [];
  /** Blows after which nothing was committed yet, by their time. */
  #open: number[] = [];
  readonly #waitsMs: number[] = [];

  constructor(runDir: string) {
    this.#file = new TailFile(join(runDir, METRICS_FILE));
    this.#before = this.#read().slice(-BASELINE_STEPS);
  }

  blow(nowMs: number): void {
    this.#open.push(nowMs);
  }

  /** Reads what was committed since; answers the waits, in ms, that ended with it. */
  look(nowMs: number): number[] {
    const rows = this.#read();
    this.#rows.push(...rows);
    if (rows.length === 0) return [];
    const ended = this.#open.map((blowMs) => nowMs - blowMs);
    this.#open = [];
    this.#waitsMs.push(...ended);
    return ended;
  }

  cost(seconds: number): ChaosCost {
    const tokens = this.#rows.reduce((sum, row) => sum + tokensOf(row), 0);
    return {
      steps: this.#rows.length,
      lostSeconds: this.#rows.reduce((sum, { lostMs }) => sum + lostMs, 0) / 1000,
      furtherAttempts: this.#rows.reduce((sum, { attempts }) => sum + attempts - 1, 0),
      tokensPerSecond: { disturbed: tokens / seconds, undisturbed: speedOf(this.#before) },
      nextCommitSeconds: this.#waitsMs.length === 0 ? null : percentiles(this.#waitsMs),
    };
  }

  #read(): StepMetrics[] {
    return this.#file.read().flatMap((line) => {
      const row = parseStepMetrics(parseJson(line));
      return typeof row === 'string' ? [] : [row];
    });
  }
}

function tokensOf({ tokensPerSecond, stepMs }: StepMetrics): number {
  return (tokensPerSecond * stepMs) / 1000;
}

function speedOf(rows: readonly StepMetrics[]): number | null {
  const milliseconds = rows.reduce((sum, { stepMs }) => sum + stepMs, 0);
  if (rows.length < 5 || milliseconds === 0) return null;
  return (1000 * rows.reduce((sum, row) => sum + tokensOf(row), 0)) / milliseconds;
}

function percentiles(values: readonly number[]): { p50: number; p95: number; max: number } {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    (ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? 0) / 1000;
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
