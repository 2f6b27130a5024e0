// A metric as a chart wants it: about as many buckets as it has pixels, each with min, max and last, on power-of-two
// step boundaries that never move. So a live curve does not jump when a step arrives, and a spike one step wide is
// drawn however far one zooms out (what people complain of most in other trackers: random samples).
import type { MetricRow } from '../logged-row.js';
import type { MetricColumn } from './metric-column.js';
import { columnValue } from './metric-history.js';
import type { MetricHistory } from './metric-history.js';
import { averageOf } from './smoothing.js';
import type { Average, Smoothing, SmoothingState } from './smoothing.js';
import { addValue, emptySummary } from './summary.js';
import type { Summary } from './summary.js';

export const SERIES_AXES = ['step', 'tokens', 'time', 'active'] as const;
/** step; tokens used; time = wall clock in ms since the epoch; active = ms of training, pauses left out. */
export type SeriesAxis = (typeof SERIES_AXES)[number];

export const MAX_POINTS = 20_000;

export interface SeriesQuery {
  readonly metric: string;
  readonly x: SeriesAxis;
  /** In units of x, both inclusive; everything when left out. */
  readonly from?: number;
  readonly to?: number;
  /** At most about this many buckets, 2 to {@link MAX_POINTS}. */
  readonly points: number;
  readonly smoothing?: Smoothing;
}

export interface SeriesBucket {
  /** Last step of the bucket that has a row. */
  readonly step: number;
  /** Where that step stands on the axis asked for. */
  readonly x: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly last: number | null;
  /** Steps with a finite value, and with one that was not finite. */
  readonly count: number;
  readonly notFinite: number;
  /** The smoothed value at `step`; only when smoothing was asked for. */
  readonly smooth?: number | null;
}

export interface Series {
  readonly metric: string;
  readonly x: SeriesAxis;
  /** Width of a bucket in steps; bucket b covers steps [b * bucketSteps, (b + 1) * bucketSteps). */
  readonly bucketSteps: number;
  /** One more than the last step that this answer knows of, whatever window was asked for. */
  readonly endStep: number;
  /** Ends of the whole line on this axis; null where it has none. */
  readonly firstX: number | null;
  readonly lastX: number | null;
  readonly buckets: readonly SeriesBucket[];
  /** Tails that a resume has left behind, per segment, in the same buckets. */
  readonly abandoned: ReadonlyArray<{ readonly segment: number; readonly buckets: readonly SeriesBucket[] }>;
  /** The average's state after the last step of all, to go on from with live steps. */
  readonly smoothing?: SmoothingState;
}

const AXIS_METRIC = { tokens: 'tokens', time: 'wallMs', active: 'activeMs' } as const;

/** The buckets of one metric over a window, with one more on either side so that lines reach the edges. */
export function seriesOf(history: MetricHistory, query: SeriesQuery): Series {
  const axis = axisOf(history, query.x);
  const first = query.from === undefined ? history.firstStep : stepAtOrAfter(history, axis, query.from);
  const end = query.to === undefined ? history.endStep : stepAtOrAfter(history, axis, query.to) + 1;
  const bits = bucketBits(end - first, query.points);
  const width = 2 ** bits;
  const column = history.column(query.metric);
  const fromBucket = Math.max(0, Math.floor(first / width) - 1);
  const endBucket = Math.min(Math.ceil(end / width) + 1, Math.ceil(history.endStep / width));
  const firstX = finiteOrNull(history.endStep === 0 ? NaN : axis.at(history.firstStep));
  const lastX = finiteOrNull(history.endStep === 0 ? NaN : axis.at(history.endStep - 1));
  const average =
    query.smoothing === undefined ? null : averageOf(query.smoothing, (lastX ?? 0) - (firstX ?? 0));
  const smooth = average === null ? null : new Smoother(average, column, axis);
  const buckets: SeriesBucket[] = [];
  for (let b = fromBucket; b < endBucket; b++) {
    const bucketEnd = Math.min((b + 1) * width, history.endStep);
    const summary = column.summarise(bits, b);
    if (summary.count + summary.notFinite === 0) continue;
    const step = lastRowBefore(history, bucketEnd);
    const x = axis.at(step);
    if (!Number.isFinite(x)) continue;
    const smoothed = smooth === null ? {} : { smooth: smooth.at(bucketEnd) };
    buckets.push({ step, x, ...toBucket(summary), ...smoothed });
  }
  const abandoned = history.abandoned.map((tail) => ({
    segment: tail.segment,
    buckets: bucketRows(tail.rows, query, bits),
  }));
  return {
    ...{ metric: query.metric, x: query.x, bucketSteps: width, endStep: history.endStep },
    ...{ firstX, lastX, buckets },
    abandoned: abandoned.filter((tail) => tail.buckets.length > 0),
    ...(smooth === null ? {} : { smoothing: smooth.finish(history.endStep) }),
  };
}

const SMOOTHED_AT_ONCE = 4096;

/** Runs an average along a column, from its start and only forward. */
class Smoother {
  readonly #average: Average;
  readonly #column: MetricColumn;
  readonly #axis: Axis;
  readonly #values = new Float64Array(SMOOTHED_AT_ONCE);
  readonly #xs = new Float64Array(SMOOTHED_AT_ONCE);
  #next = 0;

  constructor(average: Average, column: MetricColumn, axis: Axis) {
    this.#average = average;
    this.#column = column;
    this.#axis = axis;
  }

  /** The average over all steps below `endStep`. */
  at(endStep: number): number | null {
    while (this.#next < endStep) {
      const count = Math.min(endStep - this.#next, SMOOTHED_AT_ONCE);
      const values = this.#values.subarray(0, count);
      const xs = this.#xs.subarray(0, count);
      this.#column.read(this.#next, values);
      this.#axis.read(this.#next, xs);
      this.#average.pushAll(values, xs);
      this.#next += count;
    }
    return this.#average.value();
  }

  finish(endStep: number): SmoothingState {
    this.at(endStep);
    return this.#average.state();
  }
}

/** Smallest power of two whose buckets are at most `points` over the window. */
function bucketBits(steps: number, points: number): number {
  const wanted = Math.max(2, Math.min(points, MAX_POINTS));
  let bits = 0;
  while (steps / 2 ** bits > wanted) bits++;
  return bits;
}

/** Where steps stand: one, or neighbouring ones at once. */
type Axis = Pick<MetricColumn, 'at' | 'read'>;

const STEPS: Axis = {
  at: (step) => step,
  read(fromStep, into) {
    for (let i = 0; i < into.length; i++) into[i] = fromStep + i;
  },
};

function axisOf(history: MetricHistory, x: SeriesAxis): Axis {
  return x === 'step' ? STEPS : history.column(AXIS_METRIC[x]);
}

/** First step at or right of `x`; the last step where all are left of it. */
function stepAtOrAfter(history: MetricHistory, axis: Axis, x: number): number {
  let low = history.firstStep;
  let high = Math.max(low, history.endStep - 1);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const step = lastRowBefore(history, middle + 1);
    if (axis.at(step) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A step without a row (its line was lost) stands where the row before it does. */
function lastRowBefore(history: MetricHistory, endStep: number): number {
  let step = endStep - 1;
  while (step > history.firstStep && !history.hasRow(step)) step--;
  return step;
}

function toBucket(summary: Summary): Omit<SeriesBucket, 'step' | 'x'> {
  const { min, max, sum, last, count, notFinite } = summary;
  if (count === 0) return { min: null, max: null, mean: null, last: null, count, notFinite };
  return { min, max, mean: sum / count, last, count, notFinite };
}

function bucketRows(rows: readonly MetricRow[], query: SeriesQuery, bits: number): SeriesBucket[] {
  const buckets = new Map<number, { step: number; x: number; summary: Summary }>();
  for (const row of rows) {
    const x = query.x === 'step' ? row.step : row[AXIS_METRIC[query.x]];
    if (typeof x !== 'number') continue;
    if (x < (query.from ?? -Infinity) || x > (query.to ?? Infinity)) continue;
    const index = Math.floor(row.step / 2 ** bits);
    const bucket = buckets.get(index) ?? { step: row.step, x, summary: emptySummary() };
    buckets.set(index, { ...bucket, step: row.step, x });
    addValue(bucket.summary, columnValue(query.metric, row[query.metric] as number | null | undefined));
  }
  return [...buckets.values()]
    .filter(({ summary }) => summary.count + summary.notFinite > 0)
    .map(({ step, x, summary }) => ({ step, x, ...toBucket(summary) }));
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
