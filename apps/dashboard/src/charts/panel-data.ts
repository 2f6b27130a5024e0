// Series to what uPlot draws: one shared x column, and per line one value for each x: a number, null for a gap, or
// undefined where another line has a point and this one has none.
import uPlot from 'uplot';
import type { Bucket } from '../api/types';
import type { LiveSeries } from '../series/live-series';

/** Order of the columns after x. */
export const COLUMNS = ['min', 'max', 'raw', 'smooth', 'validation', 'abandoned'] as const;
export type Column = (typeof COLUMNS)[number];

export interface PanelData {
  readonly aligned: uPlot.AlignedData;
  /** Where on x a value was not finite. */
  readonly notFinite: readonly number[];
  /** Whether buckets hold more than one step, so that min and max say something. */
  readonly banded: boolean;
  readonly smoothed: boolean;
}

export interface PanelInput {
  readonly main: LiveSeries | null;
  readonly validation?: LiveSeries | null;
  /** Values that a logarithm does not have become gaps. */
  readonly log: boolean;
}

type Cell = number | null | undefined;

export function panelData({ main, validation, log }: PanelInput): PanelData {
  const buckets = main?.buckets ?? [];
  const cell = (value: Cell): Cell => (log && typeof value === 'number' && value <= 0 ? null : value);
  const column = (of: (bucket: Bucket) => Cell): Cell[] => buckets.map((bucket) => cell(of(bucket)));
  const smoothed = buckets.some((bucket) => bucket.smooth !== undefined);
  const banded = (main?.bucketSteps ?? 1) > 1;
  const table = [
    buckets.map((bucket) => bucket.x),
    column((bucket) => (banded ? bucket.min : null)),
    column((bucket) => (banded ? bucket.max : null)),
    column((bucket) => bucket.last),
    column((bucket) => (smoothed ? (bucket.smooth ?? null) : null)),
  ];
  const evaluated = (validation?.buckets ?? []).filter((bucket) => bucket.last !== null);
  const tails = abandonedPoints(main);
  const tables = [
    table,
    [evaluated.map((bucket) => bucket.x), evaluated.map((bucket) => cell(bucket.last))],
    [tails.map((point) => point.x), tails.map((point) => cell(point.value))],
  ] as uPlot.AlignedData[];
  const notFinite = buckets.filter((bucket) => bucket.notFinite > 0).map((bucket) => bucket.x);
  return { aligned: uPlot.join(tables), notFinite, banded, smoothed };
}

/** All tails as one line with gaps between them; where they overlap, the newest is shown. */
function abandonedPoints(main: LiveSeries | null): Array<{ x: number; value: number | null }> {
  const points = new Map<number, number | null>();
  for (const { buckets } of main?.abandoned ?? []) {
    for (const bucket of buckets) points.set(bucket.x, bucket.last);
    const end = buckets.at(-1)?.x;
    const beyond = end === undefined ? undefined : end + Math.max(1e-6, Math.abs(end) * 1e-9);
    if (beyond !== undefined && !points.has(beyond)) points.set(beyond, null);
  }
  return [...points].map(([x, value]) => ({ x, value })).sort((a, b) => a.x - b.x);
}
