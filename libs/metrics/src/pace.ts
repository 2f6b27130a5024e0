// How fast a run goes and when it will be done, from its last steps.
import type { MetricHistory } from './store/metric-history.js';
import type { StepMetrics } from './step-metrics.js';

const RECENT_STEPS = 64;

/**
 * Milliseconds of training until `steps` are committed, at the pace of the last 64; null before there is a pace.
 * Pauses are left out: nobody knows how long one lasts.
 */
export function estimateRemainingMs(history: MetricHistory, steps: number): number | null {
  const last = history.last();
  if (last === null) return null;
  const before = history.at(Math.max(history.firstStep, history.endStep - 1 - RECENT_STEPS));
  return remainingMs(before ?? last, last, steps);
}

/** The same from two rows, the later one the newest. */
export function remainingMs(earlier: StepMetrics, latest: StepMetrics, steps: number): number | null {
  const remaining = Math.max(0, steps - latest.step - 1);
  const passed = latest.step - earlier.step;
  const msPerStep = passed > 0 ? (latest.activeMs - earlier.activeMs) / passed : latest.stepMs;
  return msPerStep > 0 ? remaining * msPerStep : null;
}
