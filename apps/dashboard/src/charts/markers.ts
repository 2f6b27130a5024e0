// Where events stand on a chart, and what colour they have. Events close together become one marker that tells all.
import type { Alert, Axis, RunEvent } from '../api/types';

export type Tone = 'bad' | 'warn' | 'good' | 'note' | 'mark';

const TONES: Readonly<Record<string, Tone>> = {
  'run-started': 'good',
  'run-resumed': 'good',
  'run-unpaused': 'good',
  'run-finished': 'good',
  'run-paused': 'note',
  'run-stopped': 'note',
  'run-failed': 'bad',
  'leader-elected': 'note',
  'worker-joined': 'good',
  'worker-left': 'note',
  'worker-lost': 'bad',
  'worker-evicted': 'bad',
  'exchange-repeated': 'warn',
  'step-skipped': 'warn',
  'checkpoint-written': 'mark',
  'checkpoint-failed': 'bad',
  scaled: 'note',
  waiting: 'warn',
  'damage-found': 'bad',
  'alert-error': 'bad',
  'alert-warn': 'warn',
  'alert-info': 'note',
};

/** The worst decides how a marker of several events looks. */
const ORDER: readonly Tone[] = ['bad', 'warn', 'good', 'note', 'mark'];

export interface Marker {
  readonly x: number;
  readonly tone: Tone;
  readonly events: readonly RunEvent[];
}

/** A kind that this page does not know (a newer coordinator's) is listed, quietly. */
export function toneOf(kind: string): Tone {
  return TONES[kind] ?? 'note';
}

/** Kinds that only the list shows: they say that something goes on, not that something happened. */
export function isDrawn(kind: string): boolean {
  return !['worker-shadow', 'checkpoint-started', 'step-replayed'].includes(kind);
}

/** Alerts stand among the events; their numbers are negative, so that none is an event's. */
export function alertEvents(alerts: readonly Alert[]): readonly RunEvent[] {
  return alerts.map(({ severity, step, text, startedWallMs: wallMs }, index) => ({
    seq: -1 - index,
    kind: `alert-${severity}`,
    step,
    wallMs,
    text,
  }));
}

export interface EventAxis {
  readonly axis: Axis;
  readonly tokensPerStep: number;
  /** Active time at a step, as far as the page knows it. */
  readonly activeAt: (step: number) => number;
}

export function eventX(event: RunEvent, { axis, tokensPerStep, activeAt }: EventAxis): number {
  if (axis === 'time') return event.wallMs;
  if (axis === 'tokens') return event.step * tokensPerStep;
  return axis === 'active' ? activeAt(event.step) : event.step;
}

/** One marker for all events that fall within `gapPx` of each other, left to right. */
export function placeMarkers(
  events: readonly RunEvent[],
  toX: (event: RunEvent) => number,
  toPixel: (x: number) => number,
  gapPx: number,
): Marker[] {
  const placed = events
    .filter((event) => isDrawn(event.kind))
    .map((event) => ({ event, x: toX(event) }))
    .sort((a, b) => a.x - b.x);
  const groups: Array<typeof placed> = [];
  for (const item of placed) {
    const group = groups.at(-1);
    const first = group?.[0];
    if (group && first && toPixel(item.x) - toPixel(first.x) < gapPx) group.push(item);
    else groups.push([item]);
  }
  return groups.map((group) => ({
    x: group[0]?.x ?? 0,
    tone: worst(group.map(({ event }) => toneOf(event.kind))),
    events: group.map(({ event }) => event),
  }));
}

function worst(tones: readonly Tone[]): Tone {
  return ORDER.find((tone) => tones.includes(tone)) ?? 'note';
}
