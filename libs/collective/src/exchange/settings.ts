import type { SharedTrainingState } from '../state/training-state.js';

/** How long the exchange waits for what. */
export interface ExchangeTimings {
  /** Without a frame for this long a peer is complained about. */
  readonly stallMs: number;
  /** Pause before a part that failed is pulled again. */
  readonly retryMs: number;
  /** An exchange that takes longer is given up. */
  readonly exchangeMs: number;
}

export const DEFAULT_TIMINGS: ExchangeTimings = { stallMs: 3000, retryMs: 200, exchangeMs: 1_800_000 };

/** What a run's exchanges have in common. Can be posted to a thread. */
export interface ExchangeSettings {
  readonly runId: string;
  readonly workerId: string;
  /** Slots per step. */
  readonly slots: number;
  readonly gridBits: number;
  readonly state: SharedTrainingState;
  readonly timings: ExchangeTimings;
}
