// Averages of a curve, applied to every step before anything is thinned out, so that zooming does not change them.
// Both are debiased: without the division the first values would be drawn towards zero.

/** ema: a weight per step, as TensorBoard draws it. twema: the weight fades with the distance on the axis, as W&B does. */
export type Smoothing =
  { readonly kind: 'ema'; readonly weight: number } | { readonly kind: 'twema'; readonly weight: number };

/** Enough to go on elsewhere (a browser that receives the steps one by one). */
export interface SmoothingState {
  readonly kind: Smoothing['kind'];
  readonly weight: number;
  readonly sum: number;
  readonly debias: number;
  /** Of twema: the exponent per unit of the axis, and where the last value stands. */
  readonly perX?: number;
  readonly lastX?: number;
}

export interface Average {
  /** Takes the next value, at `x`; values that are not finite are left out. */
  push(value: number, x: number): void;
  /** Takes many: the loop of a curve of half a million steps. */
  pushAll(values: Float64Array, xs: Float64Array): void;
  value(): number | null;
  state(): SmoothingState;
}

/** @param rangeX length of the whole line on the axis */
export function averageOf(smoothing: Smoothing, rangeX: number): Average {
  return smoothing.kind === 'ema'
    ? new DebiasedAverage(smoothing.weight)
    : new TimeWeightedAverage(smoothing.weight, rangeX);
}

export class DebiasedAverage implements Average {
  readonly #weight: number;
  #sum = 0;
  #debias = 0;

  /** @param weight of the past, per value */
  constructor(weight: number) {
    this.#weight = weight;
  }

  push(value: number): void {
    this.pushAll(Float64Array.of(value));
  }

  pushAll(values: Float64Array): void {
    const weight = this.#weight;
    let sum = this.#sum;
    let debias = this.#debias;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!Number.isFinite(value)) continue;
      sum = sum * weight + (1 - weight) * value;
      debias = debias * weight + (1 - weight);
    }
    this.#sum = sum;
    this.#debias = debias;
  }

  value(): number | null {
    return this.#debias === 0 ? null : this.#sum / this.#debias;
  }

  state(): SmoothingState {
    return { kind: 'ema', weight: this.#weight, sum: this.#sum, debias: this.#debias };
  }
}

/** W&B normalises distances to a chart of this many units. */
const CHART_UNITS = 1000;
const MAX_WEIGHT = 0.999;

export class TimeWeightedAverage implements Average {
  readonly #weight: number;
  readonly #perX: number;
  #lastX: number | null = null;
  #sum = 0;
  #debias = 0;

  constructor(weight: number, rangeX: number) {
    this.#weight = Math.min(Math.sqrt(weight), MAX_WEIGHT);
    this.#perX = rangeX > 0 ? CHART_UNITS / rangeX : 0;
  }

  push(value: number, x: number): void {
    this.pushAll(Float64Array.of(value), Float64Array.of(x));
  }

  pushAll(values: Float64Array, xs: Float64Array): void {
    const rate = this.#perX === 0 ? 0 : this.#perX * Math.log(this.#weight);
    let [sum, debias, lastX] = [this.#sum, this.#debias, this.#lastX ?? 0];
    let [distance, fade] = [0, 1];
    for (let i = 0; i < values.length; i++) {
      const [value, x] = [values[i] as number, xs[i] as number];
      if (!Number.isFinite(value) || !Number.isFinite(x)) continue;
      // weight ** (distance * perX), but quicker; most steps are as far from the one before as that was.
      if (x - lastX !== distance) {
        distance = x - lastX;
        fade = distance === 0 ? 1 : Math.exp(distance * rate);
      }
      lastX = x;
      sum = sum * fade + value;
      debias = debias * fade + 1;
    }
    this.#lastX = debias === 0 ? null : lastX;
    this.#sum = sum;
    this.#debias = debias;
  }

  value(): number | null {
    return this.#debias === 0 ? null : this.#sum / this.#debias;
  }

  state(): SmoothingState {
    const common = { kind: 'twema', weight: this.#weight, sum: this.#sum, debias: this.#debias } as const;
    return { ...common, perX: this.#perX, ...(this.#lastX === null ? {} : { lastX: this.#lastX }) };
  }
}
