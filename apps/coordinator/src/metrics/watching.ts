// What watching the run needs from the configuration and from the disk.
import { flopsPerToken } from '@cria/model/config';
import type { RunConfig } from '@cria/protocol';
import type { Thresholds } from '@cria/metrics';
import { statfs } from 'node:fs/promises';

/** The rules of the `alerts` section, without whom to tell. */
export function thresholdsOf(alerts: RunConfig['alerts']): Thresholds {
  return alerts;
}

/** Free bytes of the disk that holds a directory; null where it cannot be asked. */
export async function freeBytesOf(directory: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** What MFU is measured against; the peak is null where nobody said what a worker can. */
export function flopsOf(config: RunConfig): { flopsPerToken: number; peakFlops: number | null } {
  const { model, budget, metrics } = config;
  return {
    flopsPerToken: flopsPerToken(model, budget.sequenceLength),
    peakFlops: metrics.peakTflops === null ? null : metrics.peakTflops * 1e12,
  };
}
