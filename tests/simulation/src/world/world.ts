// Virtual time, randomness by seed, and the record of what went wrong. Every event of every process runs here, one at
// a time.
import { Rng } from '@cria/runtime';
import { EventQueue } from './event-queue.js';
import { Network } from './network.js';
import { ViolationFound } from './violation.js';

export interface WorldOptions {
  readonly seed: number;
  /** Called with every line of the trace; null: none is composed. */
  readonly trace: ((line: string) => void) | null;
}

/** Time moves in binary fractions, so that sums and differences of times are exact. */
const TICKS_PER_MS = 1024;

/** Nothing that a schedule means takes so many events: something goes round in circles. */
const EVENTS_MAX = 3_000_000;

export class World {
  readonly seed: number;
  readonly rng: Rng;
  readonly network: Network;
  nowMs = 0;
  events = 0;
  readonly #trace: WorldOptions['trace'];
  readonly #queue = new EventQueue();
  #soon: Array<() => void> = [];
  readonly #marks = new Map<string, number>();
  #onMark: (point: string, count: number, who: string) => void = () => undefined;
  #ended = false;
  #names = 0;

  constructor({ seed, trace }: WorldOptions) {
    this.seed = seed;
    this.rng = new Rng(seed, 1);
    this.network = new Network(this, new Rng(seed, 2));
    this.#trace = trace;
  }

  /** Different for every call. */
  name(prefix: string): string {
    return `${prefix}-${++this.#names}`;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.rng.next();
  }

  at(atMs: number, run: () => void): void {
    this.#queue.push(Math.max(Math.ceil(atMs * TICKS_PER_MS) / TICKS_PER_MS, this.nowMs), run);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Runs until `end` is called or `untilMs` has passed. @returns whether `end` was called */
  run(untilMs: number): boolean {
    while (!this.#ended) {
      const next = this.#queue.pop();
      if (next === null || next.atMs > untilMs) return false;
      this.nowMs = next.atMs;
      this.events += 1;
      if (this.events > EVENTS_MAX) this.violation('I11', `${EVENTS_MAX} events and no end`);
      next.run();
      this.#drain();
    }
    return true;
  }

  end(): void {
    this.#ended = true;
  }

  /** A named point that faults can be bound to: the count-th time that `point` is reached. */
  mark(point: string, who: string): void {
    const count = (this.#marks.get(point) ?? 0) + 1;
    this.#marks.set(point, count);
    this.#onMark(point, count, who);
  }

  onMark(listener: (point: string, count: number, who: string) => void): void {
    this.#onMark = listener;
  }

  log(who: string, text: () => string): void {
    this.#trace?.(`${this.nowMs.toFixed(2).padStart(10)} ${who.padEnd(14)} ${text()}`);
  }

  violation(rule: string, text: string): never {
    throw new ViolationFound({ rule, atMs: this.nowMs, text });
  }

  /** A process failed in a way that no fault explains. */
  crashed(who: string, error: unknown): void {
    if (error instanceof ViolationFound) throw error;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.violation('crash', `${who}: ${text}`);
  }

  #drain(): void {
    for (let i = 0; i < this.#soon.length; i++) this.#soon[i]?.();
    this.#soon = [];
  }
}
