// Which slots the accumulator holds, part by part: what a member may serve, and what it says about it.
import { assert } from '@cria/runtime';
import type { SlotResult } from '../report/report-part.js';
import { ReportPart } from '../report/report-part.js';

/** A range of parts that a running slot's backward has passed: their values of this slot are final. */
export interface PassedParts {
  readonly step: number;
  readonly slot: number;
  readonly fromPart: number;
  readonly endPart: number;
  /** L of the rounded slot gradient for each of these parts. */
  readonly digests: BigUint64Array;
}

interface SlotState {
  readonly digests: BigUint64Array;
  readonly passed: Uint8Array;
  result: SlotResult | null;
}

export class SlotRegistry {
  readonly #parts: number;
  readonly #slots = new Map<number, SlotState>();
  #step = 0;

  constructor(parts: number) {
    this.#parts = parts;
  }

  /** The accumulator was dropped; it will hold slots of `step`. */
  reset(step: number): void {
    this.#slots.clear();
    this.#step = step;
  }

  get step(): number {
    return this.#step;
  }

  partsPassed(passed: PassedParts): void {
    const state = this.#slotOf(passed.step, passed.slot);
    for (let part = passed.fromPart; part < passed.endPart; part++) {
      state.passed[part] = 1;
      state.digests[part] = passed.digests[part - passed.fromPart];
    }
  }

  slotDone(step: number, result: SlotResult): void {
    const state = this.#slotOf(step, result.slot);
    assert(result.digests.length === this.#parts, `slot ${result.slot} comes with a digest per part`);
    state.digests.set(result.digests);
    state.passed.fill(1);
    state.result = result;
  }

  /** Finished slots, ascending. */
  has(): number[] {
    const finished = [...this.#slots].filter(([, state]) => state.result !== null);
    return finished.map(([slot]) => slot).sort((a, b) => a - b);
  }

  /** Slots that are in the accumulator, wholly or in part, and not in `set`. */
  foreign(set: readonly number[]): number[] {
    return [...this.#slots.keys()].filter((slot) => !set.includes(slot)).sort((a, b) => a - b);
  }

  /** Whether every slot of the set has passed the part; the report part needs them finished. */
  isReady(step: number, set: readonly number[], part: number): boolean {
    if (set.length > 0 && step !== this.#step) return false;
    return set.every((slot) => {
      const state = this.#slots.get(slot);
      if (state === undefined) return false;
      return part === this.#parts ? state.result !== null : state.passed[part] === 1;
    });
  }

  /** Sum of L over the set's slots for a part. */
  partDigest(set: readonly number[], part: number): bigint {
    const sum = set.reduce((total, slot) => total + (this.#slots.get(slot)?.digests[part] ?? 0n), 0n);
    return BigInt.asUintN(64, sum);
  }

  /** The member's own report over its set, whose slots are finished. */
  report(set: readonly number[], slots: number): ReportPart {
    const report = new ReportPart(slots, this.#parts);
    for (const slot of set) {
      const result = this.#slots.get(slot)?.result;
      assert(result !== undefined && result !== null, `slot ${slot} is finished before it is reported`);
      report.addSlot(result);
    }
    return report;
  }

  #slotOf(step: number, slot: number): SlotState {
    assert(step === this.#step, `slots of step ${this.#step} are registered, not of ${step}`);
    const known = this.#slots.get(slot);
    if (known !== undefined) return known;
    const state: SlotState = {
      digests: new BigUint64Array(this.#parts),
      passed: new Uint8Array(this.#parts),
      result: null,
    };
    this.#slots.set(slot, state);
    return state;
  }
}
