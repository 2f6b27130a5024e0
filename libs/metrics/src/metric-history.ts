// All metrics of a run in memory, one column a metric. A resumed run shows one line: a row of a newer segment takes the
// place of older rows from its step on, and those become an abandoned tail, kept apart.
import { METRIC_NAMES, describeMetric } from './step-metrics.js';
import type { MetricName, StepMetrics, Verdict } from './step-metrics.js';
import { MetricColumn } from './metric-column.js';
import { NOT_FINITE, NO_VALUE } from './summary.js';

/** Rows that a later segment replaced. */
export interface AbandonedTail {
  readonly segment: number;
  readonly rows: readonly StepMetrics[];
}

/** The newest tails are kept; a run that is resumed more often than that has other worries. */
const MAX_TAILS = 64;
const NO_ROW = -1;

export class MetricHistory {
  readonly #columns: Readonly<Record<MetricName, MetricColumn>>;
  /** Per step its segment, {@link NO_ROW} where there is no row. */
  readonly #segments: number[] = [];
  readonly #verdicts: Verdict[] = [];
  readonly #tails: AbandonedTail[] = [];
  #firstStep = 0;
  #rowCount = 0;
  #lastSegment = 0;

  constructor() {
    const columns = METRIC_NAMES.map((name) => [name, new MetricColumn()]);
    this.#columns = Object.fromEntries(columns) as Record<MetricName, MetricColumn>;
  }

  /** Rows of the line that counts. */
  get rowCount(): number {
    return this.#rowCount;
  }

  get firstStep(): number {
    return this.#firstStep;
  }

  /** One more than the last step; 0 when there is none. */
  get endStep(): number {
    return this.#segments.length;
  }

  /** The highest segment seen; a resumed run writes the next one. */
  get lastSegment(): number {
    return this.#lastSegment;
  }

  get abandoned(): readonly AbandonedTail[] {
    return this.#tails;
  }

  column(name: MetricName): MetricColumn {
    return this.#columns[name];
  }

  /**
   * Takes one more row.
   *
   * @returns false when it is known already or belongs to a segment that has been left
   */
  append(row: StepMetrics): boolean {
    if (row.segment < this.#lastSegment) return false;
    if (row.step < this.endStep) {
      if (row.segment === this.#lastSegment) return false;
      this.#abandonFrom(row.step);
    }
    this.#lastSegment = row.segment;
    if (this.#rowCount === 0) this.#firstStep = row.step;
    this.#rowCount++;
    while (this.#segments.length < row.step) {
      this.#segments.push(NO_ROW);
      this.#verdicts.push('skip');
    }
    this.#segments.push(row.segment);
    this.#verdicts.push(row.verdict);
    for (const name of METRIC_NAMES) this.#columns[name].append(row.step, columnValue(name, row[name]));
    return true;
  }

  /** The row of a step on the line that counts; null where there is none. */
  at(step: number): StepMetrics | null {
    const segment = this.#segments[step] ?? NO_ROW;
    if (segment === NO_ROW) return null;
    const row: Record<string, unknown> = { step };
    for (const name of METRIC_NAMES) {
      const value = fromColumn(name, this.#columns[name].at(step));
      if (value !== undefined) row[name] = value;
    }
    return { ...row, verdict: this.#verdicts[step], segment } as unknown as StepMetrics;
  }

  last(): StepMetrics | null {
    return this.endStep === 0 ? null : this.at(this.endStep - 1);
  }

  /** Rows of the line that counts, in order, from `fromStep` on. */
  *rows(fromStep = 0): Generator<StepMetrics, void, void> {
    for (let step = Math.max(fromStep, this.#firstStep); step < this.endStep; step++) {
      const row = this.at(step);
      if (row !== null) yield row;
    }
  }

  #abandonFrom(step: number): void {
    const rows = [...this.rows(step)];
    this.#rowCount -= rows.length;
    if (rows.length > 0) this.#tails.push({ segment: this.#lastSegment, rows });
    if (this.#tails.length > MAX_TAILS) this.#tails.shift();
    for (const name of METRIC_NAMES) this.#columns[name].cut(step);
    this.#segments.length = step;
    this.#verdicts.length = step;
  }
}

/** A row's field as columns hold it. */
export function columnValue(name: MetricName, value: number | null | undefined): number {
  if (value === undefined) return NO_VALUE;
  if (value === null) return describeMetric(name).nullMeans === 'unknown' ? NO_VALUE : NOT_FINITE;
  return Number.isFinite(value) ? value : NOT_FINITE;
}

function fromColumn(name: MetricName, value: number): number | null | undefined {
  if (Number.isFinite(value)) return value;
  const { optional } = describeMetric(name);
  return Number.isNaN(value) && optional ? undefined : null;
}
