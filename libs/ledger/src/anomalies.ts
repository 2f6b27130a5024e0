// The verdict on a step: a pure function of its entry's numbers and of the ledger before it, so that
// every leader, old or new, comes to the same one (PROTOCOL section 1). Only + - * / and sqrt: each
// of them is rounded in one way everywhere.
import { assert } from '@cria/runtime';
import type { LedgerEntry, Verdict } from './entry.js';

/** How many losses of steps not skipped the spike rule looks at, and the first step it judges. */
export const LOSS_WINDOW = 128;

/** So many skips running stop the run. */
export const SKIPS_THAT_STOP = 10;

/** So many newest entries always hold what the verdict on the next step needs. */
export const VERDICT_HISTORY = LOSS_WINDOW * SKIPS_THAT_STOP;

/** The configuration's `anomalies`. */
export interface AnomalyRules {
  readonly nonFinite: 'skip' | 'stop';
  /** A loss above mean + this many standard deviations is a spike. */
  readonly lossSpikeSigmas: number;
  readonly onSpike: 'skip' | 'stop';
}

export interface VerdictInput {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  readonly flagged: readonly number[];
  readonly rules: AnomalyRules;
  /** {@link lossWindow} of the entries before this step, oldest first. */
  readonly window: readonly number[];
  /** {@link skipsRunning} of the entries before this step. */
  readonly skipsRunning: number;
}

export interface VerdictChoice {
  readonly verdict: Verdict;
  /** Why it is not `use`, in a sentence; null when it is. */
  readonly reason: string | null;
}

/** Losses of the last `size` steps not skipped, oldest first. `entries` ends with the step before the one judged. */
export function lossWindow(entries: readonly LedgerEntry[], size = LOSS_WINDOW): number[] {
  const losses: number[] = [];
  for (let i = entries.length - 1; i >= 0 && losses.length < size; i--) {
    const math = entries[i]?.math;
    if (math?.verdict === 'use') losses.push(math.loss);
  }
  return losses.reverse();
}

/** How many entries at the end were skipped in a row. */
export function skipsRunning(entries: readonly LedgerEntry[]): number {
  let count = 0;
  while (entries.at(-1 - count)?.math.verdict === 'skip') count++;
  return count;
}

/** Use, skip or stop, by the configuration's rules. */
export function verdictOf(input: VerdictInput): VerdictChoice {
  const choice = nonFinite(input) ?? spike(input) ?? { verdict: 'use', reason: null };
  if (choice.verdict !== 'skip' || input.skipsRunning + 1 < SKIPS_THAT_STOP) return choice;
  return { verdict: 'stop', reason: `${choice.reason}; ${SKIPS_THAT_STOP} skips running` };
}

function nonFinite({ loss, gradNorm, flagged, rules }: VerdictInput): VerdictChoice | null {
  if (flagged.length > 0) return { verdict: rules.nonFinite, reason: `flagged slots: ${flagged.join(', ')}` };
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return null;
  return { verdict: rules.nonFinite, reason: `loss ${loss}, gradient norm ${gradNorm}` };
}

function spike({ step, loss, window, rules }: VerdictInput): VerdictChoice | null {
  if (step < LOSS_WINDOW) return null;
  assert(window.length > 0 && window.length <= LOSS_WINDOW, 'the loss window holds 1 to 128 losses');
  const { mean, deviation } = momentsOf(window);
  const limit = mean + rules.lossSpikeSigmas * deviation;
  if (loss <= limit) return null;
  return {
    verdict: rules.onSpike,
    reason: `loss ${loss} is above ${limit}, mean ${mean}, deviation ${deviation}`,
  };
}

/** Mean and standard deviation (of the population), in two passes from the oldest loss to the newest. */
function momentsOf(losses: readonly number[]): { mean: number; deviation: number } {
  let sum = 0;
  for (const loss of losses) sum += loss;
  const mean = sum / losses.length;
  let squares = 0;
  for (const loss of losses) squares += (loss - mean) * (loss - mean);
  return { mean, deviation: Math.sqrt(squares / losses.length) };
}
