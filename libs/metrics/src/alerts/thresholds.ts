// When a rule speaks up. The configuration's `alerts` section overrides these; null switches a rule off.

export interface Thresholds {
  readonly notFinite: boolean;
  /** Standard deviations above the average, for so many steps. */
  readonly lossSpike: { readonly sigmas: number; readonly steps: number } | null;
  /** Nats above the best smoothed loss, for so many steps. */
  readonly divergence: { readonly nats: number; readonly steps: number } | null;
  readonly gradNormSpike: { readonly sigmas: number } | null;
  /** So many median steps, and at least so long. */
  readonly stalled: { readonly medianSteps: number; readonly minMs: number } | null;
  readonly workerSilent: { readonly ms: number } | null;
  /** Slot time against the median of all members. */
  readonly straggler: { readonly ratio: number } | null;
  /** Share by which it fell, for so many steps. */
  readonly throughputDrop: { readonly share: number; readonly steps: number } | null;
  /** Share of a step that went by with waiting for its tokens, for so many steps. */
  readonly dataLoading: { readonly share: number; readonly steps: number } | null;
  /** How long jobs wait in a queue that is paused. */
  readonly pausedQueue: { readonly ms: number } | null;
  readonly checkpointOverdue: { readonly intervals: number } | null;
  readonly diskLow: { readonly freeBytes: number } | null;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  notFinite: true,
  lossSpike: { sigmas: 6, steps: 3 },
  divergence: { nats: 1, steps: 200 },
  gradNormSpike: { sigmas: 8 },
  stalled: { medianSteps: 5, minMs: 60_000 },
  workerSilent: { ms: 10_000 },
  straggler: { ratio: 2 },
  throughputDrop: { share: 0.3, steps: 20 },
  dataLoading: { share: 0.2, steps: 20 },
  pausedQueue: { ms: 600_000 },
  checkpointOverdue: { intervals: 2 },
  diskLow: { freeBytes: 1_000_000_000 },
};
