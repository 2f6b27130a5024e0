// Draws the events over a chart, and red ticks where a value was not finite; answers what stands under the mouse.
import type uPlot from 'uplot';
import type { RunEvent } from '../api/types';
import { placeMarkers } from './markers';
import type { Marker, Tone } from './markers';
import { colour, faint } from './palette';

const GAP_PX = 9;
const REACH_PX = 6;
const HEAD_PX = 4;
/** With less room than this for each, markers stand at the top only: a forest of lines would hide the curve. */
const LINE_ROOM_PX = 30;
const STUB_PX = 14;
const COLOURS: Readonly<Record<Tone, string>> = {
  bad: 'bad',
  warn: 'warn',
  good: 'good',
  note: 'muted',
  mark: 'mark',
};

export interface MarkerInput {
  readonly events: readonly RunEvent[];
  readonly toX: (event: RunEvent) => number;
  readonly notFinite: readonly number[];
  /** The event that the list points at. */
  readonly highlighted: number | null;
}

export class MarkerLayer {
  #markers: Marker[] = [];

  draw(chart: uPlot, input: MarkerInput): void {
    const { min, max } = chart.scales.x ?? {};
    if (typeof min !== 'number' || typeof max !== 'number') return;
    const toPixel = (x: number): number => chart.valToPos(x, 'x');
    const within = (x: number): boolean => x >= min && x <= max;
    const shown = input.events.filter((event) => within(input.toX(event)));
    this.#markers = placeMarkers(shown, input.toX, toPixel, GAP_PX);
    const context = chart.ctx;
    context.save();
    context.scale(devicePixelRatio, devicePixelRatio);
    context.setLineDash([]); // uPlot leaves that of its last line
    const stubs = this.#markers.length * LINE_ROOM_PX > chart.bbox.width / devicePixelRatio;
    for (const marker of this.#markers) drawMarker(chart, marker, { stubs, highlighted: input.highlighted });
    for (const x of input.notFinite.filter(within)) drawCross(chart, toPixel(x));
    context.restore();
  }

  /** The next marker to the right (1) or to the left (-1) of one; from nowhere the oldest, or the newest. */
  beside(marker: Marker | null, direction: 1 | -1): Marker | null {
    const inOrder = [...this.#markers].sort((a, b) => direction * (a.x - b.x));
    return inOrder.find(({ x }) => marker === null || direction * (x - marker.x) > 0) ?? null;
  }

  /** The marker nearest to a place, left of the plot's edge in CSS pixels. */
  at(chart: uPlot, leftPx: number): Marker | null {
    const distance = (marker: Marker): number => Math.abs(chart.valToPos(marker.x, 'x') - leftPx);
    const [nearest] = [...this.#markers].sort((a, b) => distance(a) - distance(b));
    return nearest !== undefined && distance(nearest) <= REACH_PX ? nearest : null;
  }
}

function plotBox(chart: uPlot): { left: number; top: number; height: number } {
  const { left, top, height } = chart.bbox;
  return { left: left / devicePixelRatio, top: top / devicePixelRatio, height: height / devicePixelRatio };
}

interface Look {
  readonly stubs: boolean;
  readonly highlighted: number | null;
}

function drawMarker(chart: uPlot, marker: Marker, { stubs, highlighted }: Look): void {
  const { left, top, height } = plotBox(chart);
  const context = chart.ctx;
  const x = Math.round(left + chart.valToPos(marker.x, 'x')) + 0.5;
  const lit = marker.events.some((event) => event.seq === highlighted);
  context.strokeStyle = faint(COLOURS[marker.tone], lit ? 1 : 0.3);
  context.lineWidth = lit ? 2 : 1;
  context.setLineDash(marker.tone === 'mark' && !lit ? [2, 4] : []);
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, top + (stubs && !lit ? STUB_PX : height));
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colour(COLOURS[marker.tone]);
  context.beginPath();
  headShape(context, marker.tone, x, top);
  context.fill();
}

/** Shapes too, not colour alone: bad points down, good is round, a checkpoint is square. */
function headShape(context: CanvasRenderingContext2D, tone: Tone, x: number, top: number): void {
  if (tone === 'bad' || tone === 'warn') {
    context.moveTo(x - HEAD_PX, top - HEAD_PX);
    context.lineTo(x + HEAD_PX, top - HEAD_PX);
    context.lineTo(x, top + HEAD_PX);
    context.closePath();
  } else if (tone === 'mark') {
    context.rect(x - HEAD_PX + 1, top - HEAD_PX + 1, 2 * HEAD_PX - 2, 2 * HEAD_PX - 2);
  } else {
    context.arc(x, top, HEAD_PX - 0.5, 0, 2 * Math.PI);
  }
}

function drawCross(chart: uPlot, leftPx: number): void {
  const { left, top, height } = plotBox(chart);
  const context = chart.ctx;
  const x = Math.round(left + leftPx) + 0.5;
  const y = Math.round(top + height - 8) + 0.5;
  context.strokeStyle = colour('bad');
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x - 3, y - 3);
  context.lineTo(x + 3, y + 3);
  context.moveTo(x + 3, y - 3);
  context.lineTo(x - 3, y + 3);
  context.stroke();
}
