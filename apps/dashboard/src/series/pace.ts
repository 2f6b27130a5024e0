// How long the run still trains, from the last steps this page has seen.
import type { StepRow } from '../api/types';
import { numberIn } from './live-series';

const RECENT_STEPS = 64;

/** Milliseconds of training left; null before there is a pace. Pauses are left out, as in `activeMs`. */
export function remainingMs(rows: readonly StepRow[], steps: number): number | null {
  const latest = rows.at(-1);
  const earlier = rows.at(-1 - RECENT_STEPS) ?? rows[0];
  if (latest === undefined || earlier === undefined || latest.step <= earlier.step) return null;
  const trained =
    (numberIn(latest, 'activeMs') ?? latest.wallMs) - (numberIn(earlier, 'activeMs') ?? earlier.wallMs);
  const msPerStep = trained / (latest.step - earlier.step);
  return Math.max(0, steps - latest.step - 1) * msPerStep;
}
