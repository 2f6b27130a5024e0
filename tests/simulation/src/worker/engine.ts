// The engine thread: one thing at a time, each takes a while (apps/worker/src/train/trainer.ts).
import {
  nextPart,
  slotGradient,
  slotLoss,
  stateDigest,
  validationLoss,
  wholeOf,
} from '../model/mathematics.js';
import { Chain, sleep, wait, type Future, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import type { Memory } from './memory.js';
import type { SlotResult } from './slot-registry.js';

export interface SlotOrder {
  readonly step: number;
  readonly slot: number;
  readonly clear: boolean;
  /** Nothing is added. */
  readonly spare: boolean;
}

export interface UpdateOrder {
  readonly step: number;
  readonly gradNorm: number;
  /** False for a skipped step: nothing but the position changes. */
  readonly use: boolean;
  /** What the state was when it was last written; null: not checked. */
  readonly stateDigest: string | null;
  /** Part -> its sum. */
  readonly sums: ReadonlyMap<number, number>;
}

/** Arithmetic that goes wrong: of a slot's gradient, or of the optimizer's update. */
export type Slip = 'slot' | 'update';

/** The process ends: its memory cannot be trusted. */
export class StateDamaged extends Error {}

export class Engine {
  readonly #process: SimProcess;
  readonly #memory: Memory;
  readonly #turns: Chain;
  /** Usual time of a slot. */
  readonly #slotMs: number;
  #slip: Slip | null = null;

  constructor(process: SimProcess, memory: Memory, slotMs: number) {
    this.#process = process;
    this.#memory = memory;
    this.#turns = new Chain(process);
    this.#slotMs = slotMs;
  }

  makeState(): Task<string> {
    return this.#inTurn(5, () => {
      this.#memory.makeState();
      return stateDigest(this.#memory.values);
    });
  }

  stateDigest(): Task<string> {
    return this.#inTurn(1, () => stateDigest(this.#memory.values));
  }

  evaluate(indices: readonly number[]): Task<Array<{ index: number; lossBits: number }>> {
    return this.#inTurn(3 * indices.length, () => {
      const whole = wholeOf(this.#memory.values);
      return indices.map((index) => ({ index, lossBits: validationLoss(index, whole) }));
    });
  }

  /** Forward and backward; the gradient is added to the accumulator part by part on the way. */
  *slot(order: SlotOrder): Task<SlotResult & { computeMs: number }> {
    return yield* this.#through(() => this.#computeSlot(order));
  }

  /** state[step] becomes state[step + 1], part by part. */
  *update(order: UpdateOrder): Task<string> {
    return yield* this.#through(() => this.#update(order));
  }

  *#computeSlot({ step, slot, clear, spare }: SlotOrder): Task<SlotResult & { computeMs: number }> {
    const process = this.#process;
    const { shape } = this.#memory;
    const beganMs = process.world.nowMs;
    const tookMs = this.#slotMs * process.world.between(0.8, 1.3);
    if (clear) this.#memory.clearAccumulator();
    const whole = wholeOf(this.#memory.values);
    const digests: number[] = [];
    for (let part = 0; part < shape.numParts; part++) {
      yield* sleep(process, tookMs / (shape.numParts + 1));
      const gradient = (slotGradient({ step, slot, part }, whole) ^ this.#takeSlip('slot')) >>> 0;
      if (!spare) this.#memory.accumulate(part, slot, gradient);
      digests.push(gradient);
    }
    yield* sleep(process, tookMs / (shape.numParts + 1));
    const computeMs = Math.round(process.world.nowMs - beganMs);
    return { slot, loss: slotLoss({ step, slot }, whole, shape), digests, computeMs };
  }

  *#update({ step, gradNorm, sums, use, stateDigest: expected }: UpdateOrder): Task<string> {
    const process = this.#process;
    const read: number[] = [];
    const written: number[] = [];
    for (const [part, sum] of sums) {
      const live = this.#memory.parts[part];
      if (live === undefined) continue;
      if (live.applying) throw new Error(`part ${part} is applied by one thread at a time`);
      live.applying = true;
      yield* sleep(process, process.world.between(0.5, 4));
      read[part] = live.value;
      if (use) live.value = nextPart(live.value, sum, step, gradNorm) ^ this.#takeSlip('update');
      live.value >>>= 0;
      written[part] = live.value;
      live.position += 1;
      live.applying = false;
    }
    if (expected !== null && stateDigest(read) !== expected)
      throw new StateDamaged(`the state of step ${step} is not what was written`);
    yield* sleep(process, process.world.between(0.5, 2));
    return stateDigest(written);
  }

  /** The next thing of this kind comes out wrong, and nobody notices here. */
  slip(kind: Slip): void {
    this.#slip = kind;
  }

  #takeSlip(kind: Slip): number {
    if (this.#slip !== kind) return 0;
    this.#slip = null;
    this.#process.log(() => `computes wrongly: ${kind}`);
    return 0x400;
  }

  *#inTurn<T>(takesMs: number, act: () => T): Task<T> {
    const process = this.#process;
    return yield* this.#through(function* () {
      yield* sleep(process, process.world.between(0.5, 1.5) * takesMs);
      return act();
    });
  }

  *#through<T>(act: () => Task<T>): Task<T> {
    const future: Future<T> = this.#turns.push(act);
    return yield* wait(this.#process, future);
  }
}
