// All metrics of a run, one column a metric, in memory or over a file. A resumed run shows one line: a row of a newer
// segment takes the place of older rows from its step on, and those become an abandoned tail, kept apart.
import { METRIC_NAMES, VERDICTS, describeMetric, isMetricName } from '../step-metrics.js';
import type { MetricName, StepMetrics, Verdict } from '../step-metrics.js';
import { isLoggedMetricName } from '../logged-row.js';
import type { MetricRow } from '../logged-row.js';
import { memoryDoubles } from './chunked-doubles.js';
import type { ChunkedDoubles, DoublesFactory } from './chunked-doubles.js';
import { MetricColumn } from './metric-column.js';
import { NOT_FINITE, NO_VALUE } from './summary.js';

/** Rows that a later segment replaced. */
export interface AbandonedTail {
  readonly segment: number;
  readonly rows: readonly MetricRow[];
}

/** A stretch of the line that counts, written by one life of the run. */
export interface Segment {
  readonly segment: number;
  readonly firstStep: number;
  readonly startedWallMs: number;
}

/** cria: every row has the fields of {@link StepMetrics}; open: whatever names the rows bring. */
export type Schema = 'cria' | 'open';

/** All of a history that is not in its arrays; a file keeps it beside them. */
export interface HistoryState {
  readonly schema: Schema;
  readonly firstStep: number;
  readonly endStep: number;
  readonly rowCount: number;
  readonly lastSegment: number;
  readonly segments: readonly Segment[];
  readonly columns: ReadonlyArray<{ readonly name: string; readonly length: number }>;
}

/** The newest tails are kept; a run that is resumed more often than that has other worries. */
const MAX_TAILS = 64;
const MAX_COLUMNS = 2000;
const PER_CHUNK = 4096;
const EMPTY = new MetricColumn();

export class MetricHistory {
  readonly schema: Schema;
  readonly #make: DoublesFactory;
  readonly #columns = new Map<string, MetricColumn>();
  /** Per step its segment, NaN where there is no row. */
  readonly #segmentOf: ChunkedDoubles;
  /** Per step an index into VERDICTS. */
  readonly #verdicts: ChunkedDoubles;
  #segments: Segment[];
  #tails: AbandonedTail[] = [];
  #firstStep: number;
  #endStep: number;
  #rowCount: number;
  #lastSegment: number;

  constructor(schema: Schema = 'cria', make: DoublesFactory = memoryDoubles, state?: HistoryState) {
    this.schema = schema;
    this.#make = make;
    this.#segmentOf = make('#segment', PER_CHUNK);
    this.#verdicts = make('#verdict', PER_CHUNK);
    this.#segments = [...(state?.segments ?? [])];
    this.#firstStep = state?.firstStep ?? 0;
    this.#endStep = state?.endStep ?? 0;
    this.#rowCount = state?.rowCount ?? 0;
    this.#lastSegment = state?.lastSegment ?? 0;
    for (const { name, length } of state?.columns ?? []) this.#addColumn(name, length);
    if (schema === 'cria') for (const name of METRIC_NAMES) this.#columnFor(name);
  }

  state(): HistoryState {
    return {
      schema: this.schema,
      firstStep: this.#firstStep,
      endStep: this.#endStep,
      rowCount: this.#rowCount,
      lastSegment: this.#lastSegment,
      segments: this.#segments,
      columns: [...this.#columns].map(([name, { length }]) => ({ name, length })),
    };
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
    return this.#endStep;
  }

  /** The highest segment seen; a resumed run writes the next one. */
  get lastSegment(): number {
    return this.#lastSegment;
  }

  /** Of the line that counts, in order. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get abandoned(): readonly AbandonedTail[] {
    return this.#tails;
  }

  /** Names in the order of the schema, or in which they first came. */
  get names(): readonly string[] {
    return [...this.#columns.keys()];
  }

  has(name: string): boolean {
    return this.#columns.has(name);
  }

  hasRow(step: number): boolean {
    return step < this.#endStep && !Number.isNaN(this.#segmentOf.get(step));
  }

  /** An empty column for a name that is not there. */
  column(name: string): MetricColumn {
    return this.#columns.get(name) ?? EMPTY;
  }

  /**
   * Takes one more row.
   *
   * @returns false when it is known already or belongs to a segment that has been left
   */
  append(row: MetricRow | StepMetrics): boolean {
    const { step, segment } = row;
    if (segment < this.#lastSegment) return false;
    if (step < this.#endStep && segment === this.#lastSegment) return this.#merge(row);
    if (step < this.#endStep) this.#abandonFrom(step);
    if (this.#rowCount === 0) this.#firstStep = step;
    const before = this.#segments.at(-1);
    if (before?.segment !== segment) {
      this.#segments.push({ segment, firstStep: step, startedWallMs: row.wallMs });
    }
    const active = this.#activeMsOf(row, before?.segment === segment);
    this.#lastSegment = segment;
    this.#rowCount++;
    this.#endStep = step + 1;
    this.#segmentOf.set(step, segment);
    this.#verdicts.set(step, VERDICTS.indexOf(row.verdict ?? 'use'));
    this.#setValues(row);
    if (active !== null) this.#columnFor('activeMs')?.append(step, active);
    return true;
  }

  /** The row of a step on the line that counts; null where there is none. */
  at(step: number): StepMetrics | null {
    if (!this.hasRow(step)) return null;
    const row: Record<string, unknown> = { step };
    for (const [name, column] of this.#columns) {
      const value = fromColumn(name, column.at(step), this.schema);
      if (value !== undefined) row[name] = value;
    }
    const verdict: Verdict = VERDICTS[this.#verdicts.get(step)] ?? 'use';
    return { ...row, verdict, segment: this.#segmentOf.get(step) } as unknown as StepMetrics;
  }

  last(): StepMetrics | null {
    return this.#endStep === 0 ? null : this.at(this.#endStep - 1);
  }

  /** Rows of the line that counts, in order, from `fromStep` on. */
  *rows(fromStep = 0): Generator<StepMetrics, void, void> {
    for (let step = Math.max(fromStep, this.#firstStep); step < this.#endStep; step++) {
      const row = this.at(step);
      if (row !== null) yield row;
    }
  }

  /** Puts back what a file kept of tails. */
  restoreTails(tails: readonly AbandonedTail[]): void {
    this.#tails = tails.slice(-MAX_TAILS);
  }

  /** Rows of a logged run come in pieces; what the last step has no value of yet is added to it. */
  #merge(row: MetricRow | StepMetrics): boolean {
    if (this.schema === 'cria' || row.step !== this.#endStep - 1) return false;
    this.#setValues(row);
    return true;
  }

  #setValues(row: MetricRow | StepMetrics): void {
    const fields = row as unknown as Readonly<Record<string, number | null | undefined>>;
    const names = this.schema === 'cria' ? METRIC_NAMES : Object.keys(fields).filter(isLoggedMetricName);
    for (const name of names) {
      const value = fields[name];
      if (typeof value !== 'number' && value !== null) continue;
      const column = this.#columnFor(name);
      if (column !== null && Number.isNaN(column.at(row.step))) {
        column.append(row.step, columnValue(name, value));
      }
    }
  }

  /** For rows that do not say it: the time since the run's first row, without what lies between its lives. */
  #activeMsOf(row: MetricRow | StepMetrics, sameSegment: boolean): number | null {
    if (this.schema === 'cria' || typeof row.activeMs === 'number') return null;
    const last = this.#endStep - 1;
    const before = this.column('activeMs').at(last);
    if (Number.isNaN(before)) return 0;
    return sameSegment ? before + Math.max(0, row.wallMs - this.column('wallMs').at(last)) : before;
  }

  #columnFor(name: string): MetricColumn | null {
    return this.#columns.get(name) ?? (this.#columns.size < MAX_COLUMNS ? this.#addColumn(name, 0) : null);
  }

  #addColumn(name: string, length: number): MetricColumn {
    const column = new MetricColumn(this.#make, name, length);
    this.#columns.set(name, column);
    return column;
  }

  #abandonFrom(step: number): void {
    const rows = [...this.rows(step)] as unknown as MetricRow[];
    this.#rowCount -= rows.length;
    if (rows.length > 0) this.#tails.push({ segment: this.#lastSegment, rows });
    if (this.#tails.length > MAX_TAILS) this.#tails.shift();
    for (const column of this.#columns.values()) column.cut(step);
    this.#segmentOf.truncate(step);
    this.#verdicts.truncate(step);
    this.#segments = this.#segments.filter(({ firstStep }) => firstStep < step);
    this.#endStep = step;
  }
}

/** A row's field as columns hold it. */
export function columnValue(name: string, value: number | null | undefined): number {
  if (value === undefined) return NO_VALUE;
  if (value === null) return isUnknown(name) ? NO_VALUE : NOT_FINITE;
  return Number.isFinite(value) ? value : NOT_FINITE;
}

function isUnknown(name: string): boolean {
  return isMetricName(name) && describeMetric(name).nullMeans === 'unknown';
}

function fromColumn(name: string, value: number, schema: Schema): number | null | undefined {
  if (Number.isFinite(value)) return value;
  const mayBeAbsent = schema === 'open' || describeMetric(name as MetricName).optional;
  return Number.isNaN(value) && mayBeAbsent ? undefined : null;
}
