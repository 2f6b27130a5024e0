// One committed step. `math` is what the mathematics decided: equal for any number of workers, any
// kills, any joins. `ops` is what happened on the way there. Each has a hash chain of its own.

/** What became of a step: its update was applied, left out, or left out and the run stops. */
export type Verdict = 'use' | 'skip' | 'stop';

export interface LedgerMath {
  /** Counts from 0. */
  readonly step: number;
  /** Tokens of this step: sequence length times global batch. */
  readonly tokens: number;
  /** Learning rate, exactly an f32. */
  readonly lr: number;
  /** Digest of state[step], read before the update: 16 hex digits. */
  readonly stateDigest: string;
  /** Digest of the reduced gradient: 16 hex digits. */
  readonly gradDigest: string;
  /** Global L2 norm of the step's gradient before clipping, f64. */
  readonly gradNorm: number;
  /** Mean of the slots' losses in nats, added in slot order, f64. */
  readonly loss: number;
  /** Slots with numbers that were not finite or too large for the grid, ascending. */
  readonly flagged: readonly number[];
  readonly verdict: Verdict;
}

/** A leadership (PROTOCOL section 2). */
export interface LedgerTerm {
  readonly number: number;
  readonly leader: string;
}

/** Which slots a member's share of the sum held. */
export interface MemberSlots {
  readonly worker: string;
  /** Ascending. */
  readonly slots: readonly number[];
}

/** The run's wishes as they stood at the commit. */
export interface Desired {
  readonly revision: number;
  /** Seats wanted. */
  readonly target: number;
  readonly paused: boolean;
}

export interface LedgerOps {
  readonly term: LedgerTerm;
  /** Counts through a whole term. */
  readonly attempt: number;
  /** Disjoint, together all slots. */
  readonly members: readonly MemberSlots[];
  /** Slots whose second computation was compared, ascending. */
  readonly recomputed: readonly number[];
  readonly desired: Desired;
  /** Present on the first entry after a recovery that may have lost entries: the ops chain may have forked here. */
  readonly recovered?: true;
  /** Time of the commit in milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** A remark for people. */
  readonly note?: string;
}

export interface LedgerEntry {
  readonly math: LedgerMath;
  readonly ops: LedgerOps;
  /** SHA-256 over the previous mathHash and `math`, 64 hex digits. */
  readonly mathHash: string;
  /** SHA-256 over the previous opsHash, this mathHash and `ops`, 64 hex digits. */
  readonly opsHash: string;
}
