import { mathFollows, type LedgerEntry } from '@cria/ledger';
import type { EntryFacts } from './worker-state.js';

/** A ledger entry as the worker's decisions see it. */
export function entryFacts(entry: LedgerEntry): EntryFacts {
  return {
    step: entry.math.step,
    mathHash: entry.mathHash,
    gradDigest: entry.math.gradDigest,
    followsFrom: (position, mathHash) => mathFollows({ step: position - 1, mathHash }, entry),
  };
}
