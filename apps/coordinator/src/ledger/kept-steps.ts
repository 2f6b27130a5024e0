// How much of the ledger Redis keeps: everything since the newest manifest but one, and at least the last 128 steps that
// were not skipped, from which the verdict of the next step follows (PROTOCOL section 2).
import { LOSS_WINDOW, type LedgerEntry } from '@cria/ledger';

/**
 * The first step that Redis keeps.
 *
 * @param entries the newest ones, in order, without a gap
 * @param manifestSteps of the checkpoints that are complete, ascending
 */
export function firstKeptStep(entries: readonly LedgerEntry[], manifestSteps: readonly number[]): number {
  const newestButOne = manifestSteps.at(-2) ?? 0;
  let used = 0;
  for (let i = entries.length - 1; i >= 0; i--) {
    const { step, verdict } = (entries[i] as LedgerEntry).math;
    if (verdict !== 'skip') used += 1;
    if (used === LOSS_WINDOW) return Math.min(step, newestButOne);
  }
  return 0;
}
