// The memory that a worker's threads share: the state by part, each with its position, and the accumulator.
import { add } from '../model/hash.js';
import { initialState, UNSET, type PartSum, type Shape } from '../model/mathematics.js';

export interface StatePart {
  value: number;
  position: number;
  /** On its way from position to position + 1. */
  applying: boolean;
}

/** Position of a part that nothing was written to. */
const NOWHERE = -1;

export class Memory {
  readonly shape: Shape;
  readonly parts: StatePart[];
  #accumulator: Array<{ counts: number[]; value: number }>;

  constructor(shape: Shape) {
    this.shape = shape;
    this.parts = Array.from({ length: shape.numParts }, () => ({
      value: UNSET,
      position: NOWHERE,
      applying: false,
    }));
    this.#accumulator = this.#empty();
  }

  get values(): number[] {
    return this.parts.map((part) => part.value);
  }

  makeState(): void {
    initialState(this.shape).forEach((value, part) => {
      this.parts[part] = { value, position: 0, applying: false };
    });
  }

  /** Nothing that is there counts: no part is served until it was written. */
  clearPosition(): void {
    for (const part of this.parts) part.position = NOWHERE;
  }

  setPosition(position: number): void {
    for (const part of this.parts) part.position = position;
  }

  clearAccumulator(): void {
    this.#accumulator = this.#empty();
  }

  accumulate(part: number, slot: number, gradient: number): void {
    const sum = this.#accumulator[part];
    if (sum === undefined) return;
    sum.value = add(sum.value, gradient);
    sum.counts[slot] = (sum.counts[slot] ?? 0) + 1;
  }

  /** A bit of the accumulator turns over. */
  flipAccumulator(part: number, bit: number): void {
    const sum = this.#accumulator[part];
    if (sum !== undefined) sum.value = (sum.value ^ bit) >>> 0;
  }

  /** A copy of what is in a part of the accumulator now. */
  accumulated(part: number): PartSum {
    const sum = this.#accumulator[part] ?? { counts: [], value: 0 };
    return { counts: [...sum.counts], value: sum.value };
  }

  #empty(): Array<{ counts: number[]; value: number }> {
    const { slots, numParts } = this.shape;
    return Array.from({ length: numParts }, () => ({ counts: new Array<number>(slots).fill(0), value: 0 }));
  }
}
