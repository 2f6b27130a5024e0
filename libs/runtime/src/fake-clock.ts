// A clock for tests and the simulator: time moves only when told to.
import type { Clock, Timer } from './clock.js';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #order = 0;
  #entries: Entry[] = [];

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  timer(delayMs: number, fire: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#entries.push(entry);
    return {
      cancel: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }

  /** Moves time forward, firing due timers in order of time, then of creation. */
  advance(byMs: number): void {
    const targetMs = this.#nowMs + byMs;
    for (;;) {
      const due = this.#entries
        .filter((entry) => entry.atMs <= targetMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (due === undefined) break;
      this.#entries = this.#entries.filter((entry) => entry !== due);
      this.#nowMs = due.atMs;
      due.fire();
    }
    this.#nowMs = targetMs;
  }

  /** When the next timer is due, or null. */
  nextDueMs(): number | null {
    return this.#entries.length === 0 ? null : Math.min(...this.#entries.map((entry) => entry.atMs));
  }
}
