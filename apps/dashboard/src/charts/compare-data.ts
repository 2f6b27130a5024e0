// Several runs' curves of one metric in one chart: three columns a run (min, max, line) over a shared x.
import uPlot from 'uplot';
import type { LiveSeries } from '../series/live-series';

export interface RunCurve {
  readonly id: string;
  /** Index of its colour. */
  readonly colour: number;
  readonly series: LiveSeries;
}

export const COLUMNS_PER_RUN = 3;

export function compareData(
  curves: readonly RunCurve[],
  { log, logX }: { readonly log: boolean; readonly logX: boolean },
): uPlot.AlignedData {
  if (curves.length === 0) return [[]];
  const cell = (value: number | null | undefined): number | null =>
    value == null || (log && value <= 0) ? null : value;
  const tables = curves.map(({ series }) => {
    const buckets = series.buckets.filter(({ x }) => !logX || x > 0);
    const banded = series.bucketSteps > 1;
    return [
      buckets.map(({ x }) => x),
      buckets.map(({ min }) => (banded ? cell(min) : null)),
      buckets.map(({ max }) => (banded ? cell(max) : null)),
      buckets.map(({ last, smooth }) => cell(smooth ?? last)),
    ];
  });
  return uPlot.join(tables as uPlot.AlignedData[]);
}

/** The value of a run's line at or before an index: runs do not log at the same places. */
export function curveValue(aligned: uPlot.AlignedData, run: number, at: number | null): number | null {
  const line = aligned[1 + run * COLUMNS_PER_RUN + 2] ?? [];
  for (let i = Math.min(at ?? line.length - 1, line.length - 1); i >= 0; i--) {
    const value = line[i];
    if (typeof value === 'number') return value;
  }
  return null;
}
