// The mathematics of a step as the engine thread does it: slot gradient onto the grid, state digest, AdamW.
import { beginPartApply, endPartApply, setPosition } from '@cria/collective';
import {
  clearAccumulator,
  combineStateDigest,
  createAccumulator,
  meanScale,
  partCount,
  partRange,
  type Accumulator,
  type Kernels,
} from '@cria/kernels';
import {
  initialParameters,
  optimizerStep,
  parameterLayout,
  type Engine,
  type ParameterLayout,
} from '@cria/model';
import { assert, CriaError, pauseAt, present, systemClock } from '@cria/runtime';
import { damageGradient, damageMemory } from '../faults/damage.js';
import type { SlotComputed, SlotOrder, TrainingSettings, UpdateOrder } from './engine-messages.js';

export class Trainer {
  readonly #settings: TrainingSettings;
  readonly #engine: Engine;
  readonly #kernels: Kernels;
  readonly #layout: ParameterLayout;
  readonly #numParts: number;
  #mean = new Float32Array(0);
  #spareAccumulator: Accumulator | null = null;

  constructor(settings: TrainingSettings, engine: Engine, kernels: Kernels) {
    this.#settings = settings;
    this.#engine = engine;
    this.#kernels = kernels;
    this.#layout = parameterLayout(settings.engine.config);
    this.#numParts = partCount(this.#layout.paddedSize);
  }

  /** state[0]: parameters from the seed, moments zero. */
  async makeState(): Promise<{ stateDigest: string }> {
    const { state, engine, seed } = this.#settings;
    initialParameters(engine.config, seed, state.params);
    state.expAvg.fill(0);
    state.expAvgSq.fill(0);
    setPosition(state, 0);
    return this.adoptState();
  }

  async adoptState(): Promise<{ stateDigest: string }> {
    await this.#engine.setParameters(this.#settings.state.params);
    return { stateDigest: this.stateDigest() };
  }

  /** Forward and backward of one slot; its rounded gradient is added to the accumulator. */
  async slot(order: SlotOrder): Promise<SlotComputed> {
    const { tokens, sequences, clear, step } = order;
    const { state, gridBits } = this.#settings;
    const beganMs = systemClock.monotonicMs();
    const accumulator = order.spare ? this.#scratch() : state.accumulator;
    if (clear) clearAccumulator(accumulator, 0, this.#layout.paddedSize);
    const digests = new BigUint64Array(this.#numParts);
    let flagged = false;
    const { lossBits } = await this.#engine.runSlot(tokens, sequences, {
      bucket: (offset, gradient) => {
        damageGradient(gradient, order);
        const isFlagged = this.#kernels.accumulateGradient(accumulator, offset, gradient, gridBits, digests);
        flagged ||= isFlagged;
        pauseAt('mid-slot', step);
      },
    });
    if (!order.spare) damageMemory(state, step);
    const computeMs = Math.round(systemClock.monotonicMs() - beganMs);
    return { digests, flagged: flagged || !isFiniteBits(lossBits), lossBits, computeMs };
  }

  /** Where a slot goes that is not added; as large as the accumulator, made when the first one comes. */
  #scratch(): Accumulator {
    this.#spareAccumulator ??= createAccumulator(this.#layout.paddedSize, false);
    clearAccumulator(this.#spareAccumulator, 0, this.#layout.paddedSize);
    return this.#spareAccumulator;
  }

  /** Digest of parameters and moments, 16 hex digits. */
  stateDigest(): string {
    const digests = new PartDigests(this.#kernels, this.#settings.state);
    digests.add(0, this.#layout.paddedSize);
    return digests.hex();
  }

  /** state[step] becomes state[step + 1]. */
  async update(order: UpdateOrder): Promise<{ stateDigest: string }> {
    assert(order.parts.length === this.#numParts, 'a member updates every part');
    const { read, written } = this.#apply(order);
    if (order.stateDigest !== null && order.stateDigest !== read) {
      throw new CriaError(
        'STATE_DAMAGED',
        `the state of step ${order.step} has digest ${read} where ${order.stateDigest} was written: memory of this machine is damaged; the worker ends and copies the state anew when it is started again`,
      );
    }
    await this.#engine.setParameters(this.#settings.state.params);
    return { stateDigest: written };
  }

  /** The same for some parts; the engine keeps its weights. */
  rollForward(order: UpdateOrder): void {
    this.#apply(order);
  }

  /** Digests of what was read and of what was written, taken while each part is at hand. */
  #apply(order: UpdateOrder): { read: string; written: string } {
    const { state } = this.#settings;
    const read = new PartDigests(this.#kernels, state);
    const written = new PartDigests(this.#kernels, state);
    order.parts.forEach((part, i) => {
      const { from, to } = partRange(part, this.#layout.paddedSize);
      beginPartApply(state, part);
      read.add(from, to);
      if (order.use) this.#updatePart(order, part, present(order.packed[i], 'the packed part'));
      written.add(from, to);
      endPartApply(state, part);
    });
    return { read: read.hex(), written: written.hex() };
  }

  /** Mean loss of each sequence. */
  evaluate({ tokens, sequences }: { tokens: Uint16Array; sequences: number }): Promise<Float32Array> {
    return this.#engine.evaluate(tokens, sequences);
  }

  #updatePart(order: UpdateOrder, part: number, packed: Uint8Array): void {
    const { state, optimizer, steps, slots, gridBits } = this.#settings;
    const { from, to } = partRange(part, this.#layout.paddedSize);
    if (this.#mean.length < to - from) this.#mean = new Float32Array(to - from);
    const mean = this.#mean.subarray(0, to - from);
    this.#kernels.unpackMean(packed, meanScale(gridBits, slots), mean);
    const scalars = optimizerStep(optimizer, { step: order.step, steps, gradNorm: order.gradNorm });
    for (const range of this.#rangesOf(from, to)) {
      const gradient = mean.subarray(range.from - from, range.to - from);
      this.#kernels.adamwUpdate(state, gradient, range.from, range.to, range.decay, scalars);
    }
  }

  /** Runs of equal decay within [from, to). */
  #rangesOf(from: number, to: number): Array<{ from: number; to: number; decay: boolean }> {
    const ranges: Array<{ from: number; to: number; decay: boolean }> = [];
    const { tensors, paddedSize } = this.#layout;
    tensors.forEach((tensor, i) => {
      const end = tensors[i + 1]?.offset ?? paddedSize;
      const start = Math.max(from, tensor.offset);
      const stop = Math.min(to, end);
      if (start >= stop) return;
      const last = ranges.at(-1);
      if (last !== undefined && last.decay === tensor.decay) last.to = stop;
      else ranges.push({ from: start, to: stop, decay: tensor.decay });
    });
    return ranges;
  }
}

/** The state's digest is linear: it is the sum of those of its parts. */
class PartDigests {
  readonly #kernels: Kernels;
  readonly #arrays: readonly Float32Array[];
  readonly #sums = [0n, 0n, 0n];

  constructor(kernels: Kernels, { params, expAvg, expAvgSq }: TrainingSettings['state']) {
    this.#kernels = kernels;
    this.#arrays = [params, expAvg, expAvgSq];
  }

  add(from: number, to: number): void {
    this.#arrays.forEach((values, i) => {
      const digest = this.#kernels.digestWords(wordsOf(values.subarray(from, to)), from);
      this.#sums[i] = (this.#sums[i] ?? 0n) + digest;
    });
  }

  hex(): string {
    const [params = 0n, expAvg = 0n, expAvgSq = 0n] = this.#sums;
    return hex(combineStateDigest(params, expAvg, expAvgSq));
  }
}

function wordsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

function hex(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

/** Exponent bits not all ones. */
function isFiniteBits(bits: number): boolean {
  return ((bits >>> 23) & 0xff) !== 0xff;
}
