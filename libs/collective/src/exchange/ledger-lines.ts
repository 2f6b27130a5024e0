// The ledger entries that a worker holds, for a leader that lacks them.
import type { PartAnswer } from '../wire/part-source.js';

export class LedgerLines {
  #first = 0;
  #lines: string[] = [];

  /** The line of `step`. One that does not follow those before begins anew: what is held has no gap. */
  append(step: number, line: string): void {
    if (step !== this.#first + this.#lines.length) {
      this.#first = step;
      this.#lines = [];
    }
    this.#lines.push(line);
  }

  dropBefore(step: number): void {
    const dropped = Math.min(this.#lines.length, Math.max(0, step - this.#first));
    this.#lines.splice(0, dropped);
    this.#first += dropped;
  }

  /** The lines from step `from` on, each ended by a newline. */
  answer(from: number): PartAnswer {
    if (from < this.#first) return { kind: 'refused', reason: `lines begin at step ${this.#first} here` };
    const lines = this.#lines.slice(from - this.#first);
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8');
    return { kind: 'part', bytes, digest: 0n, position: this.#first + this.#lines.length, slots: [] };
  }
}
