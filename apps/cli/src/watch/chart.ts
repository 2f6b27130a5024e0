// The loss in a terminal: raw faint, smoothed on top, validation beside it, and below it what happened where.
import { formatCount, formatDuration, type TerminalStyle } from '@cria/metrics';
import { Canvas, type Layer } from './canvas.js';
import { cellsOfLine, span, spread, type Ink, type Line } from './ink.js';
import type { BucketData, EventData, SeriesData } from './run-data.js';

export const AXES = ['step', 'tokens', 'time', 'active'] as const;
export type Axis = (typeof AXES)[number];

export interface ChartInput {
  readonly loss: SeriesData;
  readonly valLoss: SeriesData | null;
  readonly axis: Axis;
  readonly logY: boolean;
  /** The loss has smoothed values, which are drawn on top. */
  readonly smoothed: boolean;
  /** Part of the axis that is shown. */
  readonly from: number;
  readonly to: number;
  readonly events: readonly EventData[];
  /** Steps at which an alert is firing. */
  readonly alertSteps: readonly number[];
  readonly width: number;
  readonly height: number;
  readonly style: TerminalStyle;
}

const GUTTER = 8;
/** Rows below the curve: marks, and the axis. */
const FOOT_ROWS = 2;
/** With fewer points than this there are no outliers to leave out. */
const MIN_FOR_CLIP = 40;
const CLIPPED_SHARE = 0.01;

const RAW: Layer = { ink: 'dim', ascii: '.' };
const CURVE: Layer = { ink: 'curve', ascii: '*' };
const VALIDATION: Layer = { ink: 'good', ascii: 'o' };

/** Exactly `height` lines, none wider than `width`. */
export function drawChart(input: ChartInput): Line[] {
  const { width, height } = input;
  const plot = { width: width - GUTTER, height: height - FOOT_ROWS };
  if (plot.width < 4 || plot.height < 1) return Array.from({ length: Math.max(0, height) }, () => []);
  const range = yRange(input);
  const canvas = new Canvas({ ...plot, unicode: input.style.unicode });
  const scale = new Scale(input, range, canvas);
  for (const tail of input.loss.abandoned) drawLine(canvas, scale, tail.buckets, RAW, ({ last }) => last);
  drawRaw(canvas, scale, input);
  if (input.smoothed) drawLine(canvas, scale, input.loss.buckets, CURVE, ({ smooth }) => smooth ?? null);
  if (input.valLoss !== null)
    drawLine(canvas, scale, input.valLoss.buckets, VALIDATION, ({ last }) => last, false);
  const rows = canvas.rows().map((row, index) => [
    span(
      yLabel(range, input.logY, index, plot.height)
        .padStart(GUTTER - 1)
        .slice(0, GUTTER - 1) + ' ',
      'dim',
    ),
    ...row,
  ]);
  return [...rows, marksRow(input, plot.width), axisRow(input, plot.width)];
}

interface Range {
  readonly low: number;
  readonly high: number;
}

/** Where values stand in dots. */
class Scale {
  readonly #input: ChartInput;
  readonly #range: Range;
  readonly #canvas: Canvas;

  constructor(input: ChartInput, range: Range, canvas: Canvas) {
    this.#input = input;
    this.#range = range;
    this.#canvas = canvas;
  }

  x(x: number): number {
    const { from, to } = this.#input;
    return Math.round(((x - from) / Math.max(to - from, 1e-9)) * (this.#canvas.widthDots - 1));
  }

  /** Values beyond the range stand at its edge: a spike is seen even where it is cut. null: cannot be drawn. */
  y(value: number): number | null {
    const scaled = scaledValue(value, this.#input.logY);
    if (scaled === null) return null;
    const { low, high } = this.#range;
    const share = Math.min(1, Math.max(0, (scaled - low) / (high - low)));
    return Math.round((1 - share) * (this.#canvas.heightDots - 1));
  }
}

function scaledValue(value: number, logY: boolean): number | null {
  if (!logY) return value;
  return value > 0 ? Math.log10(value) : null;
}

/** Of what is shown, without outliers: one spike does not flatten the curve. */
function yRange({ loss, valLoss, from, to, logY, smoothed }: ChartInput): Range {
  const shown = (buckets: readonly BucketData[]): BucketData[] =>
    buckets.filter(({ x }) => x >= from && x <= to);
  const scaled = (values: ReadonlyArray<number | null | undefined>): number[] =>
    values
      .flatMap((value) => (typeof value === 'number' ? [scaledValue(value, logY)] : []))
      .filter((value) => value !== null)
      .sort((a, b) => a - b);
  const raw = scaled(shown(loss.buckets).flatMap(({ min, max }) => [min, max]));
  const others = scaled([
    ...(smoothed ? shown(loss.buckets).map(({ smooth }) => smooth) : []),
    ...shown(valLoss?.buckets ?? []).map(({ last }) => last),
  ]);
  const ends = [...withoutOutliers(raw), others[0], others.at(-1)].filter((end) => end !== undefined);
  if (ends.length === 0) return { low: 0, high: 1 };
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  return high > low ? { low, high } : { low: low - 0.5, high: high + 0.5 };
}

/** The ends of ascending values; the outermost percent may widen the range of the others by half of it on either side. */
function withoutOutliers(sorted: readonly number[]): number[] {
  const [least, greatest] = [sorted[0], sorted.at(-1)];
  if (least === undefined || greatest === undefined) return [];
  const cut = sorted.length < MIN_FOR_CLIP ? 0 : Math.ceil(sorted.length * CLIPPED_SHARE);
  const [low = least, high = greatest] = [sorted[cut], sorted[sorted.length - 1 - cut]];
  const margin = (high - low) / 2;
  return [Math.max(least, low - margin), Math.min(greatest, high + margin)];
}

/** The band from the least to the greatest value of each bucket, and the line through the last ones. */
function drawRaw(canvas: Canvas, scale: Scale, { loss, smoothed }: ChartInput): void {
  const layer = smoothed ? RAW : CURVE;
  for (const { x, min, max } of loss.buckets) {
    const [top, bottom] = [max === null ? null : scale.y(max), min === null ? null : scale.y(min)];
    if (top === null || bottom === null) continue;
    canvas.line({ x: scale.x(x), y: top }, { x: scale.x(x), y: bottom }, RAW);
  }
  drawLine(canvas, scale, loss.buckets, layer, ({ last }) => last);
}

/** @param breaks at a value that was not finite the line has a gap; a rare metric is drawn through the steps without it */
function drawLine(
  canvas: Canvas,
  scale: Scale,
  buckets: readonly BucketData[],
  layer: Layer,
  valueOf: (bucket: BucketData) => number | null,
  breaks = true,
): void {
  let before: { x: number; y: number } | null = null;
  for (const bucket of buckets) {
    const value = valueOf(bucket);
    const y = value === null ? null : scale.y(value);
    if (y === null) {
      if (breaks) before = null;
      continue;
    }
    const at = { x: scale.x(bucket.x), y };
    canvas.line(before ?? at, at, layer);
    before = at;
  }
}

function yLabel({ low, high }: Range, logY: boolean, row: number, rows: number): string {
  const isLabelled = row === 0 || row === rows - 1 || (rows > 6 && row === Math.floor((rows - 1) / 2));
  if (!isLabelled) return '';
  const share = rows === 1 ? 0 : row / (rows - 1);
  const scaled = high - share * (high - low);
  const value = logY ? 10 ** scaled : scaled;
  const size = Math.abs(value);
  if (size >= 10_000 || (size > 0 && size < 0.001)) return value.toExponential(1);
  return size >= 100 ? value.toFixed(1) : value.toFixed(3);
}

interface Mark {
  readonly sign: string;
  readonly ascii: string;
  readonly ink: Ink;
  /** The greater wins where two fall on one cell. */
  readonly weight: number;
}

const NOT_FINITE: Mark = { sign: '✗', ascii: 'x', ink: 'bad', weight: 5 };
const ALERT: Mark = { sign: '!', ascii: '!', ink: 'bad', weight: 6 };
const LOST: Mark = { sign: '▼', ascii: 'v', ink: 'warn', weight: 4 };
const MARKS: Readonly<Record<string, Mark>> = {
  'step-skipped': NOT_FINITE,
  'damage-found': ALERT,
  'worker-lost': LOST,
  'worker-evicted': LOST,
  'leader-elected': { sign: '★', ascii: 'L', ink: 'warn', weight: 3 },
  'worker-joined': { sign: '▲', ascii: '^', ink: 'good', weight: 2 },
  'worker-left': { sign: '▽', ascii: 'u', ink: 'dim', weight: 2 },
  'checkpoint-written': { sign: '◆', ascii: 'c', ink: 'dim', weight: 1 },
};

/** What the signs mean, for the help. */
export const MARKS_LEGEND: ReadonlyArray<readonly [string, string, string]> = [
  ['▲', '^', 'worker joined'],
  ['▼', 'v', 'worker lost'],
  ['▽', 'u', 'worker left'],
  ['★', 'L', 'another coordinator leads'],
  ['◆', 'c', 'checkpoint'],
  ['✗', 'x', 'skipped, or not finite'],
  ['!', '!', 'alert'],
];

function marksRow(input: ChartInput, width: number): Line {
  const { from, to, style, loss } = input;
  const cells: Array<Mark | undefined> = new Array<Mark | undefined>(width).fill(undefined);
  const put = (x: number, mark: Mark): void => {
    const cell = Math.round(((x - from) / Math.max(to - from, 1e-9)) * (width - 1));
    if (cell >= 0 && cell < width && (cells[cell]?.weight ?? 0) < mark.weight) cells[cell] = mark;
  };
  for (const { kind, step } of input.events) {
    const mark = MARKS[kind];
    const x = xOfStep(input, step);
    if (mark !== undefined && x !== null) put(x, mark);
  }
  for (const { x, notFinite } of loss.buckets) if (notFinite > 0) put(x, NOT_FINITE);
  for (const step of input.alertSteps) {
    const x = xOfStep(input, step);
    if (x !== null) put(x, ALERT);
  }
  const signs = cells.map((mark) =>
    mark === undefined ? span(' ') : span(style.unicode ? mark.sign : mark.ascii, mark.ink),
  );
  return [span(' '.repeat(GUTTER)), ...signs];
}

/** Where a step stands on the axis: at the first bucket that reaches it. null: outside of what is known. */
function xOfStep({ axis, loss }: ChartInput, step: number): number | null {
  if (axis === 'step') return step;
  return loss.buckets.find((bucket) => bucket.step >= step)?.x ?? null;
}

function axisRow({ axis, from, to }: ChartInput, width: number): Line {
  const [left, right] = [axisLabel(axis, from), axisLabel(axis, to)];
  const middle = axisLabel(axis, (from + to) / 2);
  const ends = spread([span(left, 'dim')], [span(right, 'dim')], width);
  const gutter = span(' '.repeat(GUTTER));
  const gap = width - left.length - right.length;
  if (cellsOfLine(ends) < width || gap < middle.length + 4) return [gutter, ...ends];
  const before = Math.max(1, Math.floor(width / 2 - middle.length / 2) - left.length);
  const after = gap - middle.length - before;
  return [gutter, span(left + ' '.repeat(before) + middle + ' '.repeat(after) + right, 'dim')];
}

export function axisLabel(axis: Axis, x: number): string {
  switch (axis) {
    case 'step':
      return String(Math.round(x));
    case 'tokens':
      return formatCount(x);
    case 'active':
      return formatDuration(Math.max(0, x));
    case 'time':
      return timeOfDay(x);
  }
}

export function timeOfDay(wallMs: number): string {
  const date = new Date(wallMs);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
