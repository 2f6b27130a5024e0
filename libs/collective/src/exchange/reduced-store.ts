// The reduced gradient, packed, part by part. A finished one stays until the next step's parts overwrite it, one by
// one: so whoever is a step behind finds what is left, and memory holds one packed gradient, not two.
import { assert } from '@cria/runtime';
import type { ReportPart } from '../report/report-part.js';
import type { Prepared } from './order.js';
import type { SharedRooms } from './shared-rooms.js';

export interface ReducedPart {
  /** Over a SharedArrayBuffer. For the report part: the encoded report. */
  readonly bytes: Uint8Array;
  readonly digest: bigint;
}

/** A prepared gradient as the engine thread applies it. */
export interface HeldReduced {
  readonly step: number;
  readonly gradDigest: string;
  /** Packed parts over SharedArrayBuffers, in part order, without the report. */
  readonly parts: readonly Uint8Array[];
  /** Names this hold when it is released. */
  readonly hold: number;
}

export class ReducedStore {
  readonly #rooms: SharedRooms;
  #step = -1;
  #current: Array<ReducedPart | null> = [];
  #older: { step: number; parts: Array<ReducedPart | null> } | null = null;
  #prepared: Prepared | null = null;
  /** What ends a hold. */
  readonly #holds = new Map<number, Array<() => void>>();
  #lastHold = 0;

  /** @param rooms where the parts lie; theirs again when nobody needs a part any more */
  constructor(rooms: SharedRooms) {
    this.#rooms = rooms;
  }

  /** Makes room for a step's gradient; the parts of another step are given up as new ones come. */
  begin(step: number, parts: number): void {
    if (step !== this.#step && this.#prepared !== null) {
      this.#forgetOlder();
      this.#older = { step: this.#step, parts: this.#current };
    } else {
      this.#leave(this.#current);
    }
    this.#prepared = null;
    this.#step = step;
    this.#current = new Array<ReducedPart | null>(parts).fill(null);
  }

  put(part: number, reduced: ReducedPart): void {
    this.#leave([this.#current[part] ?? null]);
    this.#current[part] = reduced;
    if (this.#older === null) return;
    this.#leave([this.#older.parts[part] ?? null]);
    this.#older.parts[part] = null;
  }

  /** A part of a step's gradient, of the exchange under way or prepared. */
  get(step: number, part: number): ReducedPart | null {
    if (step === this.#step) return this.#current[part] ?? null;
    return this.#older?.step === step ? (this.#older.parts[part] ?? null) : null;
  }

  /** The same for somebody who reads it for a while: its bytes stay as they are until given back. */
  lend(step: number, part: number): (ReducedPart & { readonly giveBack: () => void }) | null {
    const found = this.get(step, part);
    return found === null ? null : { ...found, giveBack: this.#rooms.lend(found.bytes) };
  }

  finish(prepared: Prepared): void {
    assert(prepared.step === this.#step && !this.#current.includes(null), 'all parts are there');
    this.#prepared = prepared;
    this.#forgetOlder();
  }

  /** The prepared result of a step, or null. */
  prepared(step: number): Prepared | null {
    return this.#prepared?.step === step ? this.#prepared : null;
  }

  /** Forgets a step's gradient: it may hold what a damaged computation added. */
  drop(step: number): void {
    if (this.#older?.step === step) this.#forgetOlder();
    if (this.#step !== step) return;
    this.#prepared = null;
    this.#leave(this.#current);
    this.#current = this.#current.map(() => null);
  }

  /** The prepared gradient of a step for another thread. Its bytes stay as they are until the hold is released. */
  hold(step: number): HeldReduced | null {
    const prepared = this.prepared(step);
    if (prepared === null) return null;
    const parts = this.#current.slice(0, -1).map((part) => part?.bytes ?? new Uint8Array(0));
    const hold = ++this.#lastHold;
    this.#holds.set(
      hold,
      parts.map((bytes) => this.#rooms.lend(bytes)),
    );
    return { step, gradDigest: prepared.gradDigest, parts, hold };
  }

  release(hold: number): void {
    for (const end of this.#holds.get(hold) ?? []) end();
    this.#holds.delete(hold);
  }

  /** L of every part against the slots' own digests; returns the first part that does not fit, or null. */
  firstWrongPart(report: ReportPart): number | null {
    for (let part = 0; part < this.#current.length - 1; part++) {
      const reduced = this.#current[part];
      if (!reduced || !report.checkSum(part, reduced.digest)) return part;
    }
    return null;
  }

  #forgetOlder(): void {
    if (this.#older !== null) this.#leave(this.#older.parts);
    this.#older = null;
  }

  #leave(parts: ReadonlyArray<ReducedPart | null>): void {
    for (const part of parts) if (part !== null) this.#rooms.leave(part.bytes);
  }
}
