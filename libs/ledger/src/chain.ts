// The two hash chains. mathHash[-1] is the genesis, so equal mathHashes mean equal mathematics from
// the first step on; opsHash also takes in the run id and this entry's mathHash.
import { createHash } from 'node:crypto';
import { assert } from '@cria/runtime';
import { canonicalMath, canonicalOps, LEDGER_VERSION } from './canonical.js';
import { faultOf } from './entry-check.js';
import type { LedgerEntry, LedgerMath, LedgerOps } from './entry.js';

/** A place in the ledger: after `step`, which is -1 before the first entry. */
export interface ChainPoint {
  readonly step: number;
  readonly mathHash: string;
  readonly opsHash: string;
}

/** Where every ledger of the run begins. */
export function genesisPoint(runId: string, genesis: string): ChainPoint {
  const opsHash = sha256(JSON.stringify(['cria-ledger-run', LEDGER_VERSION, runId, genesis]));
  return { step: -1, mathHash: genesis, opsHash };
}

/** The place after an entry. */
export function pointAfter(entry: LedgerEntry): ChainPoint {
  return { step: entry.math.step, mathHash: entry.mathHash, opsHash: entry.opsHash };
}

/** Makes the entry that follows `previous`. Asserts that the fields are in order and the step is the next one. */
export function seal(previous: ChainPoint, math: LedgerMath, ops: LedgerOps): LedgerEntry {
  const fault = faultOf(math, ops);
  assert(fault === null, `ledger entry: ${fault?.field} must be ${fault?.expected}`);
  assert(math.step === previous.step + 1, `step ${math.step} cannot follow step ${previous.step}`);
  const mathHash = mathHashAfter(previous.mathHash, math);
  return { math, ops, mathHash, opsHash: opsHashAfter(previous.opsHash, mathHash, ops) };
}

/** SHA-256 of the previous mathHash and the canonical text, each on a line. */
export function mathHashAfter(previousMathHash: string, math: LedgerMath): string {
  return sha256(`${previousMathHash}\n${canonicalMath(math)}\n`);
}

/** SHA-256 of the previous opsHash, the entry's mathHash and the canonical text, each on a line. */
export function opsHashAfter(previousOpsHash: string, mathHash: string, ops: LedgerOps): string {
  return sha256(`${previousOpsHash}\n${mathHash}\n${canonicalOps(ops)}\n`);
}

/** Whether the entry continues a state whose mathHash is known: all that a worker has to check before it applies. */
export function mathFollows(previous: Pick<ChainPoint, 'step' | 'mathHash'>, entry: LedgerEntry): boolean {
  return (
    entry.math.step === previous.step + 1 && entry.mathHash === mathHashAfter(previous.mathHash, entry.math)
  );
}

/** Why the entry does not follow `previous`, or null when both chains hold. */
export function linkFault(previous: ChainPoint, entry: LedgerEntry): string | null {
  const { math, ops } = entry;
  if (math.step !== previous.step + 1) return `step ${math.step} stands where ${previous.step + 1} belongs`;
  if (entry.mathHash !== mathHashAfter(previous.mathHash, math)) {
    return `mathHash of step ${math.step} does not fit its fields and the entry before`;
  }
  if (entry.opsHash !== opsHashAfter(previous.opsHash, entry.mathHash, ops)) {
    return `opsHash of step ${math.step} does not fit its fields and the entry before`;
  }
  return null;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
