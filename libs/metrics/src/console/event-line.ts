// An event as a sentence in a terminal, with a sign in front that says how much it matters.
import type { RunEvent, RunEventKind } from '../run-event.js';
import { printable, printableAscii } from './printable.js';
import type { Paint, TerminalStyle } from './terminal-style.js';

export type Gravity = 'plain' | 'good' | 'warn' | 'bad';

const GRAVITY: Partial<Record<RunEventKind, Gravity>> = {
  'run-finished': 'good',
  'run-failed': 'bad',
  'run-paused': 'warn',
  'worker-joined': 'good',
  'worker-lost': 'warn',
  'worker-evicted': 'bad',
  'exchange-repeated': 'warn',
  'step-skipped': 'warn',
  'checkpoint-written': 'good',
  'checkpoint-failed': 'bad',
  'damage-found': 'bad',
  alert: 'bad',
  'alert-over': 'good',
  waiting: 'warn',
};

export function gravityOf(kind: RunEventKind): Gravity {
  return GRAVITY[kind] ?? 'plain';
}

/** `▲ w-3f2a is gone; slots 2, 5 are granted again` */
export function formatEvent(event: RunEvent, style: TerminalStyle): string {
  const gravity = gravityOf(event.kind);
  return paintBy(style.paint, gravity)(`${signOf(gravity, style)} ${printableIn(style)(event.text)}`);
}

export function signOf(gravity: Gravity, { glyphs }: TerminalStyle): string {
  return gravity === 'warn' || gravity === 'bad' ? glyphs.attention : glyphs.bullet;
}

export function paintBy(paint: Paint, gravity: Gravity): (text: string) => string {
  return gravity === 'plain' ? paint.dim : paint[gravity];
}

export function printableIn({ unicode }: TerminalStyle): (text: string) => string {
  return unicode ? printable : printableAscii;
}
