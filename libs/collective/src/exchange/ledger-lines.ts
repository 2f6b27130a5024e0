// The ledger entries that a worker holds, for a leader that lacks them.
import type { PartAnswer } from '../wire/part-source.js';

export class LedgerLines {
  #first = 0;
  #lines: string[] = [];

  /** Replaces what is held: the line of step `first` and those after it. */
  set(first: number, lines: readonly string[]): void {
    this.#first = first;
    this.#lines = [...lines];
  }

  append(line: string): void {
    this.#lines.push(line);
  }

  /** The lines from step `from` on, each ended by a newline. */
  answer(from: number): PartAnswer {
    if (from < this.#first) return { kind: 'refused', reason: `lines begin at step ${this.#first} here` };
    const lines = this.#lines.slice(from - this.#first);
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8');
    return { kind: 'part', bytes, digest: 0n, position: this.#first + this.#lines.length, slots: [] };
  }
}
