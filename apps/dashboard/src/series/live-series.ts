// A metric's buckets as the coordinator gave them, kept up to date by the steps that arrive live. Buckets lie on fixed
// power-of-two boundaries and are halved in number when there are too many, by the coordinator's own rule: so this
// always equals what a new request would bring, and the curve never jumps.
import type { Axis, Bucket, Series, SmoothingState, StepRow } from '../api/types';

/** Metrics whose null says that nobody knows; of the others it says that the value was not finite. */
const NULL_IS_UNKNOWN = new Set(['mfu']);

export class LiveSeries {
  readonly metric: string;
  readonly axis: Axis;
  readonly abandoned: Series['abandoned'];
  readonly #window: readonly [number, number] | null;
  readonly #points: number;
  readonly #smoothing: MovingAverage | null;
  #ends: readonly [number, number];
  #bucketSteps: number;
  #endStep: number;
  #firstStep: number;
  #buckets: Bucket[];

  constructor(series: Series, options: { window: readonly [number, number] | null; points: number }) {
    this.metric = series.metric;
    this.axis = series.x;
    this.abandoned = series.abandoned;
    this.#window = options.window;
    this.#points = options.points;
    this.#smoothing = series.smoothing === undefined ? null : new MovingAverage(series.smoothing);
    this.#ends = [series.firstX ?? series.buckets[0]?.x ?? 0, series.lastX ?? series.buckets.at(-1)?.x ?? 0];
    this.#bucketSteps = series.bucketSteps;
    this.#endStep = series.endStep;
    this.#buckets = [...series.buckets];
    const first = this.#buckets[0];
    this.#firstStep =
      first === undefined ? Infinity : Math.floor(first.step / series.bucketSteps) * series.bucketSteps;
  }

  get buckets(): readonly Bucket[] {
    return this.#buckets;
  }

  get bucketSteps(): number {
    return this.#bucketSteps;
  }

  get endStep(): number {
    return this.#endStep;
  }

  /** Where the whole line begins and ends on the axis, whatever the window. */
  get ends(): readonly [number, number] {
    return this.#ends;
  }

  /** Takes a live step; one that is known already changes nothing. */
  append(row: StepRow): void {
    if (row.step < this.#endStep) return;
    this.#endStep = row.step + 1;
    const x = axisValue(row, this.axis);
    this.#ends = [Math.min(this.#ends[0], x), Math.max(this.#ends[1], x)];
    const value = row[this.metric];
    if (value === undefined || typeof value === 'string') return;
    if (value === null && NULL_IS_UNKNOWN.has(this.metric)) return;
    const smooth = this.#smoothing?.push(value, x);
    if (this.#window !== null && (x < this.#window[0] || x > this.#window[1])) return;
    this.#firstStep = Math.min(this.#firstStep, row.step);
    this.#put(bucketOf(row.step, x, value, smooth));
    while (this.#window === null && this.#tooFine()) this.#coarsen();
  }

  #tooFine(): boolean {
    return (this.#endStep - this.#firstStep) / this.#bucketSteps > this.#points;
  }

  #put(bucket: Bucket): void {
    const newest = this.#buckets.at(-1);
    const joins = newest !== undefined && this.#index(newest.step) === this.#index(bucket.step);
    if (joins) this.#buckets[this.#buckets.length - 1] = merge(newest, bucket);
    else this.#buckets.push(bucket);
  }

  #coarsen(): void {
    const fine = this.#buckets;
    this.#bucketSteps *= 2;
    this.#buckets = [];
    for (const bucket of fine) this.#put(bucket);
  }

  #index(step: number): number {
    return Math.floor(step / this.#bucketSteps);
  }
}

/** The coordinator's own average, gone on with: a debiased exponential one over steps, or over x. */
class MovingAverage {
  #state: SmoothingState;

  constructor(state: SmoothingState) {
    this.#state = state;
  }

  push(value: number | null, x: number): number | null {
    if (value !== null) this.#state = advance(this.#state, value, x);
    const { sum, debias } = this.#state;
    return debias === 0 ? null : sum / debias;
  }
}

function advance(state: SmoothingState, value: number, x: number): SmoothingState {
  const { weight, sum, debias } = state;
  if (state.kind !== 'twema') {
    return { ...state, sum: sum * weight + (1 - weight) * value, debias: debias * weight + (1 - weight) };
  }
  const kept = weight ** ((x - (state.lastX ?? x)) * (state.perX ?? 0));
  return { ...state, sum: sum * kept + value, debias: debias * kept + 1, lastX: x };
}

export function axisValue(row: StepRow, axis: Axis): number {
  if (axis === 'step') return row.step;
  if (axis === 'time') return row.wallMs;
  return numberIn(row, axis === 'tokens' ? 'tokens' : 'activeMs') ?? 0;
}

/** A row's metric where it is a finite number. */
export function numberIn(row: StepRow | null, metric: string): number | null {
  const value = row?.[metric];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function bucketOf(step: number, x: number, value: number | null, smooth: number | null | undefined): Bucket {
  const values = { min: value, max: value, last: value, notFinite: value === null ? 1 : 0 };
  return { step, x, ...values, ...(smooth === undefined ? {} : { smooth }) };
}

function merge(earlier: Bucket, later: Bucket): Bucket {
  return {
    ...later,
    min: pick(Math.min, earlier.min, later.min),
    max: pick(Math.max, earlier.max, later.max),
    last: later.last ?? earlier.last,
    notFinite: earlier.notFinite + later.notFinite,
  };
}

function pick(choose: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null ? a : choose(a, b);
}
