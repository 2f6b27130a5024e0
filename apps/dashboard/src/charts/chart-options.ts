// How every chart looks and reacts; what differs between charts comes in as options.
import type uPlot from 'uplot';
import { formatCompact, formatDuration, formatInteger, formatTick, formatTimeTick } from '../format';
import type { Axis } from '../api/types';
import { COLUMNS } from './panel-data';
import type { Column } from './panel-data';
import { colour, faint } from './palette';

export interface ChartBehaviour {
  readonly axis: Axis;
  readonly log: boolean;
  readonly logX: boolean;
  readonly smoothed: boolean;
  /** The band shows what is behind the smoothed line. */
  readonly banded: boolean;
  /** Fixed while zoomed; null follows the data. */
  readonly window: () => readonly [number, number] | null;
  /** What the y axis is held to; null follows the data. */
  readonly clip: () => readonly [number, number] | null;
  readonly onZoom: (from: number, to: number) => void;
  readonly onReset: () => void;
  /** Index into the columns under the cursor, or null. */
  readonly onHover: (index: number | null, leftPx: number) => void;
  readonly onDraw: (chart: uPlot) => void;
}

const FONT = '11px system-ui, sans-serif';
const SYNC_KEY = 'cria';
/** A drag shorter than this is a click. */
const MIN_DRAG_PX = 6;
const DOT_ROOM_PX = 16;

export function chartOptions(
  behaviour: ChartBehaviour,
  size: { width: number; height: number },
): uPlot.Options {
  const frame = chartFrame(behaviour, size);
  return {
    ...frame,
    series: [{}, ...COLUMNS.map((column) => lineOf(column, behaviour))],
    bands: [{ series: [2, 1], fill: () => faint('train', 0.2) }],
    hooks: { ...frame.hooks, draw: [behaviour.onDraw] },
  };
}

/** What every chart has in common: axes, scales, gestures. */
export function chartFrame(
  behaviour: Gestures & Pick<ChartBehaviour, 'axis' | 'log' | 'logX' | 'window' | 'clip'>,
  size: { width: number; height: number },
): Omit<uPlot.Options, 'series' | 'hooks'> & { readonly hooks: uPlot.Hooks.Arrays } {
  const { axis, log, logX, window, clip } = behaviour;
  return {
    ...size,
    padding: [10, 14, 0, 0],
    ms: 1,
    legend: { show: false },
    scales: {
      x: {
        time: axis === 'time',
        range: (_chart, min, max) => xRange(window() ?? [min, max], logX),
        ...(logX ? { distr: 3 as const } : {}),
      },
      y: {
        range: (_chart, min, max) => yRange(clip() ?? [min, max], log),
        ...(log ? { distr: 3 as const } : {}),
      },
    },
    axes: [xAxis(axis, logX), yAxis(log)],
    cursor: cursorOf(behaviour),
    hooks: {
      setSelect: [(chart) => selected(chart, behaviour)],
      setCursor: [(chart) => behaviour.onHover(chart.cursor.idx ?? null, chart.cursor.left ?? -1)],
    },
  };
}

/** What the gestures of a chart need. */
export type Gestures = Pick<ChartBehaviour, 'onZoom' | 'onReset' | 'onHover'>;

function cursorOf(behaviour: Gestures): uPlot.Cursor {
  const movesOnly = (type: string): boolean => type === 'mousemove' || type === 'mouseleave';
  return {
    sync: { key: SYNC_KEY, setSeries: false, filters: { pub: movesOnly, sub: movesOnly } },
    drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PX },
    y: false,
    points: { size: 6, show: true },
    bind: {
      dblclick: () => () => {
        behaviour.onReset();
        return null;
      },
    },
  };
}

function selected(chart: uPlot, behaviour: Gestures): void {
  const { left, width } = chart.select;
  if (width < MIN_DRAG_PX) return;
  const from = chart.posToVal(left, 'x');
  const to = chart.posToVal(left + width, 'x');
  chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  behaviour.onZoom(from, to);
}

function lineOf(column: Column, { smoothed, banded }: ChartBehaviour): uPlot.Series {
  const points = { show: false };
  switch (column) {
    case 'min':
    case 'max':
      return { points, width: 0, stroke: 'transparent' };
    case 'raw':
      if (smoothed && banded) return { points, width: 0, stroke: 'transparent' };
      return { points, width: smoothed ? 1 : 1.75, stroke: () => faint('train', smoothed ? 0.35 : 1) };
    case 'smooth':
      return { points, width: 1.75, stroke: () => colour('train') };
    case 'validation':
      return {
        points: {
          show: hasRoomForDots,
          size: 5,
          fill: () => colour('validation'),
          stroke: () => colour('validation'),
        },
        width: 1.5,
        stroke: () => colour('validation'),
        spanGaps: true,
      };
    case 'abandoned':
      return { points, width: 1, dash: [3, 3], stroke: () => faint('muted', 0.8) };
  }
}

/** Many dots would be a thick line that hides the one below it. */
function hasRoomForDots(chart: uPlot, series: number, from: number, to: number): boolean {
  const values = (chart.data[series] ?? []).slice(from, to + 1);
  return values.filter((value) => value != null).length * DOT_ROOM_PX < chart.width;
}

/** A narrow chart has a label at both ends at least: counts are short (`12.5k`), a time of day is not. */
const LABEL_ROOM_PX: Readonly<Record<Axis, number>> = { step: 48, tokens: 48, active: 60, time: 80 };

function xAxis(axis: Axis, logX: boolean): uPlot.Axis {
  const look = { ...axisLook(), size: 28, space: LABEL_ROOM_PX[axis] };
  if (axis === 'time') return { ...look, values: timeTicks };
  const format = axis === 'active' ? formatDuration : formatTick;
  if (logX) {
    const values: uPlot.Axis.DynamicValues = (_chart, splits) =>
      splits.map((value) => (value === null ? '' : format(value)));
    return { ...look, values, splits: logSplits, filter: (_chart, splits) => splits };
  }
  return { ...look, incrs: INCREMENTS, values: (_chart, splits) => splits.map((value) => format(value)) };
}

const timeTicks: uPlot.Axis.DynamicValues = (_chart, splits, _axis, _space, incrementMs) =>
  splits.map((value) => formatTimeTick(value, incrementMs));

/** No fractions: there is no half step. */
const INCREMENTS = [...Array(14).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));

function yAxis(log: boolean): uPlot.Axis {
  const look = { ...axisLook(), size: 54 };
  const values: uPlot.Axis.DynamicValues = (_chart, splits) =>
    splits.map((value) => (value === null ? '' : formatTick(value)));
  return log
    ? { ...look, values, splits: logSplits, filter: (_chart, splits) => splits }
    : { ...look, values, space: 34 };
}

function axisLook(): uPlot.Axis {
  const line = { width: 1, stroke: () => colour('grid') };
  return { font: FONT, stroke: () => colour('muted'), grid: line, ticks: { show: false }, gap: 6 };
}

/** One step alone would have no width; a logarithm has no zero. */
export function xRange([min, max]: readonly [number, number], log: boolean): [number, number] {
  const from = log ? Math.max(min, 0.5) : min;
  return from < max ? [from, max] : [from - (log ? from / 2 : 1), from + 1];
}

/** A little more than the values, so that no line runs along the edge. */
export function yRange(
  [min, max]: readonly [number | null, number | null],
  log: boolean,
): uPlot.Range.MinMax {
  if (min === null || max === null) return log ? [1, 10] : [0, 1];
  if (log) {
    const margin = Math.max((max / min) ** 0.05, 1.005);
    return min <= 0 ? [1, 10] : [min / margin, max * margin];
  }
  const margin = (max - min) * 0.06 || Math.abs(max) * 0.1 || 1;
  // Counts and times stand on their zero.
  return [min >= 0 && min - margin < 0 ? 0 : min - margin, max + margin];
}

/** Round numbers at about equal distances on the logarithm: a loss rarely spans a whole power of ten. */
function logSplits(_chart: uPlot, _axis: number, min: number, max: number): number[] {
  for (const digits of [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7], [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const splits = roundNumbers(digits, min, max);
    if (splits.length >= 4) return splits;
  }
  const step = 10 ** Math.floor(Math.log10(max - min)) / 2;
  const from = Math.ceil(min / step);
  return Array.from({ length: Math.floor(max / step) - from + 1 }, (_, i) => (from + i) * step);
}

function roundNumbers(digits: readonly number[], min: number, max: number): number[] {
  const from = Math.floor(Math.log10(min));
  const powers = Array.from({ length: Math.ceil(Math.log10(max)) - from + 1 }, (_, i) => 10 ** (from + i));
  return powers.flatMap((power) => digits.map((digit) => digit * power)).filter((v) => v >= min && v <= max);
}

export const formatAxisValue = (axis: Axis, value: number, clock: (ms: number) => string): string => {
  if (axis === 'time') return clock(value);
  if (axis === 'active') return formatDuration(value);
  return axis === 'tokens' ? `${formatCompact(value)} tokens` : `step ${formatInteger(value)}`;
};
