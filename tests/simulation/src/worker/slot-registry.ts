// Which finished slots the accumulator is said to hold (libs/collective/src/exchange/slot-registry.ts).
import { add } from '../model/hash.js';
import { slotDigest, type Report, type Shape } from '../model/mathematics.js';

export interface SlotResult {
  readonly slot: number;
  readonly loss: number;
  /** L of the slot's gradient, by part: here the value itself, which is linear. */
  readonly digests: readonly number[];
}

export class SlotRegistry {
  readonly #shape: Shape;
  readonly #slots = new Map<number, SlotResult>();
  #step = 0;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  get step(): number {
    return this.#step;
  }

  reset(step: number): void {
    this.#slots.clear();
    this.#step = step;
  }

  slotDone(step: number, result: SlotResult): void {
    if (step !== this.#step) throw new Error(`slots of step ${this.#step} are registered, not of ${step}`);
    this.#slots.set(result.slot, result);
  }

  foreign(set: readonly number[]): number[] {
    return [...this.#slots.keys()].filter((slot) => !set.includes(slot));
  }

  isReady(step: number, set: readonly number[]): boolean {
    if (set.length > 0 && step !== this.#step) return false;
    return set.every((slot) => this.#slots.has(slot));
  }

  partDigest(set: readonly number[], part: number): number {
    return set.reduce((sum, slot) => add(sum, this.#slots.get(slot)?.digests[part] ?? 0), 0);
  }

  report(set: readonly number[]): Report {
    const counts = new Array<number>(this.#shape.slots).fill(0);
    const losses = new Array<number>(this.#shape.slots).fill(0);
    const digests = new Array<number>(this.#shape.slots).fill(0);
    for (const slot of set) {
      counts[slot] = 1;
      losses[slot] = this.#slots.get(slot)?.loss ?? 0;
      digests[slot] = slotDigest(this.#slots.get(slot)?.digests ?? []);
    }
    return { counts, losses, digests };
  }
}
