// A metric's buckets as the coordinator gave them, kept up to date by the steps that arrive live. Buckets lie on fixed
// power-of-two boundaries and are halved in number when there are too many, by the coordinator's own rule: so this
// always equals what a new request would bring, and the curve never jumps.
import type { Axis, Bucket, MetricName, Series, StepRow } from '../api/types';

export class LiveSeries {
  readonly metric: MetricName;
  readonly axis: Axis;
  readonly abandoned: Series['abandoned'];
  readonly #window: readonly [number, number] | null;
  readonly #points: number;
  readonly #smoothing: { weight: number; sum: number; debias: number } | null;
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
    this.#smoothing = series.smoothing === undefined ? null : { ...series.smoothing };
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

  /** Takes a live step; one that is known already changes nothing. */
  append(row: StepRow): void {
    if (row.step < this.#endStep) return;
    this.#endStep = row.step + 1;
    const value = row[this.metric];
    if (value === undefined) return;
    const smooth = this.#smooth(value);
    const x = axisValue(row, this.axis);
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

  #smooth(value: number | null): number | null | undefined {
    const state = this.#smoothing;
    if (state === null) return undefined;
    if (value !== null) {
      state.sum = state.sum * state.weight + (1 - state.weight) * value;
      state.debias = state.debias * state.weight + (1 - state.weight);
    }
    return state.debias === 0 ? null : state.sum / state.debias;
  }
}

export function axisValue(row: StepRow, axis: Axis): number {
  if (axis === 'step') return row.step;
  if (axis === 'tokens') return row.tokens;
  return axis === 'time' ? row.wallMs : row.activeMs;
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
