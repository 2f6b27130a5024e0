import type { Term } from '@cria/queue';

export interface StripeSource {
  readonly worker: string;
  readonly address: string;
  readonly firstPart: number;
  readonly endPart: number;
}

export interface StatePiece {
  readonly kind: 'params' | 'expAvg' | 'expAvgSq';
  /** Flat index of values[0]. */
  readonly from: number;
  readonly values: Float32Array;
}

export interface PullOrder {
  readonly step: number;
  readonly sources: readonly StripeSource[];
  readonly term: Term;
  /** Length of the flat state. */
  readonly length: number;
  readonly signal: AbortSignal;
}

/** Gets state[step] out of the members. */
export interface StatePuller {
  /**
   * Hands every piece to `take`, one after the other per source.
   *
   * @returns digest of the whole state, 16 hex digits
   * @throws PEER_UNREACHABLE, PEER_DAMAGED, TERM_STALE naming the worker
   */
  pull(order: PullOrder, take: (piece: StatePiece) => Promise<void>): Promise<string>;
}
