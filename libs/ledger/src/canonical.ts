// What is hashed: a JSON list with a fixed order of fields and no white space, floats as hex of their
// IEEE bits. Version first: another layout is another version, and old ledgers stay verifiable. Other
// tools can repeat it in a few lines (docs/protocol.md).
import { f32Bits, f64Bits } from './float-bits.js';
import type { LedgerMath, LedgerOps } from './entry.js';

export const LEDGER_VERSION = 1;

/** Canonical text of what the mathematics decided. */
export function canonicalMath(math: LedgerMath): string {
  return JSON.stringify([
    'cria-ledger-math',
    LEDGER_VERSION,
    math.step,
    math.tokens,
    f32Bits(math.lr),
    math.stateDigest,
    math.gradDigest,
    f64Bits(math.gradNorm),
    f64Bits(math.loss),
    math.flagged,
    math.verdict,
  ]);
}

/** Canonical text of what happened. */
export function canonicalOps(ops: LedgerOps): string {
  return JSON.stringify([
    'cria-ledger-ops',
    LEDGER_VERSION,
    ops.term.number,
    ops.term.leader,
    ops.attempt,
    ops.members.map((member) => [member.worker, member.slots]),
    ops.recomputed,
    [ops.desired.revision, ops.desired.target, ops.desired.paused],
    ops.recovered === true,
    ops.wallMs,
    ops.note ?? null,
  ]);
}
