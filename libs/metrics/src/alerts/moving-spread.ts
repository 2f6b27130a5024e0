// Exponentially weighted mean and deviation of a curve. Values that a rule calls spikes are kept out by the caller: a spike that
// entered its own yardstick would hide the next one.

export interface MovingSpread {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

export const NO_SPREAD: MovingSpread = { count: 0, mean: 0, variance: 0 };

/** About so many values are remembered. */
const WINDOW = 100;
/** Below this many values a deviation says little. */
const ENOUGH = 30;

export function withValue(spread: MovingSpread, value: number): MovingSpread {
  const count = spread.count + 1;
  // A plain mean at first, so that the first value does not linger.
  const share = Math.max(1 / count, 1 / WINDOW);
  const difference = value - spread.mean;
  return {
    count,
    mean: spread.mean + share * difference,
    variance: (1 - share) * (spread.variance + share * difference * difference),
  };
}

/** Deviations above the mean; null while there is too little to say. */
export function sigmasAbove(spread: MovingSpread, value: number): number | null {
  if (spread.count < ENOUGH) return null;
  const deviation = Math.max(Math.sqrt(spread.variance), 1e-3 * Math.abs(spread.mean), 1e-12);
  return (value - spread.mean) / deviation;
}
