// Recomputes both chains over entries in order.
import { linkFault, pointAfter, type ChainPoint } from './chain.js';
import type { LedgerEntry } from './entry.js';

export interface ChainReport {
  readonly ok: boolean;
  /** The first step whose entry does not follow the one before it; null when all do. */
  readonly firstBadStep: number | null;
  readonly reason: string | null;
  /** The place after the last entry that verifies. */
  readonly head: ChainPoint;
}

/** Checks that the entries follow `from`, one after the other. Stops at the first that does not. */
export function verifyChain(from: ChainPoint, entries: Iterable<LedgerEntry>): ChainReport {
  let head = from;
  for (const entry of entries) {
    const reason = linkFault(head, entry);
    if (reason !== null) return { ok: false, firstBadStep: head.step + 1, reason, head };
    head = pointAfter(entry);
  }
  return { ok: true, firstBadStep: null, reason: null, head };
}
