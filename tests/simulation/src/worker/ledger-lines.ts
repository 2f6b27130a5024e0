// The ledger entries that a worker keeps (libs/collective/src/exchange/ledger-lines.ts).
import type { PeerAnswer } from './peer.js';

export class LedgerLines {
  #first = 0;
  #lines: string[] = [];

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

  answer(from: number): PeerAnswer {
    if (from < this.#first) return { kind: 'refused', reason: `lines begin at step ${this.#first} here` };
    return {
      kind: 'part',
      ...{ value: 0, counts: [], losses: [], digests: [], digest: 0, slots: [] },
      position: this.#first + this.#lines.length,
      lines: this.#lines.slice(from - this.#first),
    };
  }
}
