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
  checkpointOverdue: { intervals: 2 },
  diskLow: { freeBytes: 1_000_000_000 },
};
