// The reduced gradient, part by part; a finished one stays until the next step's parts overwrite it
// (libs/collective/src/exchange/reduced-store.ts).
import type { PeerPart } from './peer.js';

export interface PreparedSum {
  readonly step: number;
  readonly gradDigest: string;
  readonly gradNorm: number;
  readonly report: Uint8Array;
}

export class ReducedStore {
  #step = -1;
  #current: Array<PeerPart | null> = [];
  #older: { readonly step: number; readonly parts: Array<PeerPart | null> } | null = null;
  #prepared: PreparedSum | null = null;

  begin(step: number, parts: number): void {
    if (step !== this.#step && this.#prepared !== null)
      this.#older = { step: this.#step, parts: this.#current };
    this.#prepared = null;
    this.#step = step;
    this.#current = new Array<PeerPart | null>(parts).fill(null);
  }

  put(part: number, reduced: PeerPart): void {
    this.#current[part] = reduced;
    if (this.#older !== null) this.#older.parts[part] = null;
  }

  get(step: number, part: number): PeerPart | null {
    if (step === this.#step) return this.#current[part] ?? null;
    return this.#older?.step === step ? (this.#older.parts[part] ?? null) : null;
  }

  finish(prepared: PreparedSum): void {
    if (prepared.step !== this.#step || this.#current.includes(null)) throw new Error('all parts are there');
    this.#prepared = prepared;
    this.#older = null;
  }

  prepared(step: number): PreparedSum | null {
    return this.#prepared?.step === step ? this.#prepared : null;
  }

  drop(step: number): void {
    if (this.#older?.step === step) this.#older = null;
    if (this.#step !== step) return;
    this.#prepared = null;
    this.#current = this.#current.map(() => null);
  }

  /** Sums by part, without the report. */
  hold(step: number): { readonly gradDigest: string; readonly sums: readonly number[] } | null {
    const prepared = this.prepared(step);
    if (prepared === null) return null;
    return {
      gradDigest: prepared.gradDigest,
      sums: this.#current.slice(0, -1).map((part) => part?.value ?? 0),
    };
  }
}
