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
  /** What the y axis shows when the outermost values are left out; null where there are too few values. */
  readonly usual: readonly [number, number] | null;
}

export interface PanelInput {
  readonly main: LiveSeries | null;
  readonly validation?: LiveSeries | null;
  /** Values that a logarithm does not have become gaps. */
  readonly log: boolean;
  /** Points that a logarithmic x axis does not have are left out. */
  readonly logX?: boolean;
  /** The part that is shown, for what is usual in it. */
  readonly window?: readonly [number, number] | null;
}

/** Shares of the values that are left out at the bottom and at the top. */
const UNUSUAL_SHARE = 0.01;
const LEAST_VALUES = 20;

type Cell = number | null | undefined;

export function panelData({ main, validation, log, logX, window }: PanelInput): PanelData {
  const drawable = ({ x }: Bucket): boolean => logX !== true || x > 0;
  const buckets = (main?.buckets ?? []).filter(drawable);
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
  const evaluated = (validation?.buckets ?? []).filter((bucket) => bucket.last !== null && drawable(bucket));
  const tails = abandonedPoints(main).filter(({ x }) => logX !== true || x > 0);
  const tables = [
    table,
    [evaluated.map((bucket) => bucket.x), evaluated.map((bucket) => cell(bucket.last))],
    [tails.map((point) => point.x), tails.map((point) => cell(point.value))],
  ] as uPlot.AlignedData[];
  const notFinite = buckets.filter((bucket) => bucket.notFinite > 0).map((bucket) => bucket.x);
  const usual = usualRange(buckets, window ?? null);
  return { aligned: uPlot.join(tables), notFinite, banded, smoothed, usual };
}

/** From the 1st to the 99th hundredth of the values that are shown. */
export function usualRange(
  buckets: readonly Bucket[],
  window: readonly [number, number] | null,
): readonly [number, number] | null {
  const shown = window === null ? buckets : buckets.filter(({ x }) => x >= window[0] && x <= window[1]);
  const values = shown.map(({ last }) => last).filter((last) => last !== null);
  if (values.length < LEAST_VALUES) return null;
  values.sort((a, b) => a - b);
  const left = Math.ceil(values.length * UNUSUAL_SHARE);
  const [low, high] = [values[left], values[values.length - 1 - left]];
  return low === undefined || high === undefined || low >= high ? null : [low, high];
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

/** The value of a line at an index of the x column. */
export function valueAt(aligned: uPlot.AlignedData, column: Column, at: number | null): Cell {
  return at === null ? undefined : aligned[COLUMNS.indexOf(column) + 1]?.[at];
}

/** A validation loss stands until the next one. */
export function lastBefore(aligned: uPlot.AlignedData, column: Column, at: number | null): Cell {
  for (let i = at ?? -1; i >= 0; i--) {
    const value = valueAt(aligned, column, i);
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** Where the newest step stands; null when there is none. */
export function newestIndex(aligned: uPlot.AlignedData): number | null {
  const raw = aligned[COLUMNS.indexOf('raw') + 1] ?? [];
  for (let i = raw.length - 1; i >= 0; i--) if (raw[i] !== undefined) return i;
  return null;
}

export function hasValues(aligned: uPlot.AlignedData, column: Column): boolean {
  return aligned[COLUMNS.indexOf(column) + 1]?.some((value) => value != null) ?? false;
}
