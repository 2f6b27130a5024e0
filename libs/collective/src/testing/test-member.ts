// A worker as the exchange sees it: shared memory, a thread, and slots whose gradients are cheap and fixed.
import type { MemberSet } from '@cria/protocol';
import {
  accumulatorValue,
  clearAccumulator,
  createAccumulator,
  partCount,
  partRange,
  referenceKernels,
} from '@cria/kernels';
import type { Accumulator } from '@cria/kernels';
import { threadEntry } from '@cria/runtime';
import type { ExchangeEvent, ExchangeOrder } from '../exchange/order.js';
import { DEFAULT_TIMINGS } from '../exchange/settings.js';
import type { ExchangeTimings } from '../exchange/settings.js';
import type { SlotResult } from '../report/report-part.js';
import { createTrainingState } from '../state/training-state.js';
import { ExchangeThread } from '../thread/exchange-thread.js';
import type { TapRule } from './frame-faults.js';

export const GRID_BITS = 32;
export const RUN_ID = 'run-of-the-test';

/** Gradient of a slot: one block in 32 is not zero, values up to 1e-3, one block large enough to go wide. */
export function slotGradient(step: number, slot: number, length: number): Float32Array {
  const gradient = new Float32Array(length);
  for (let block = 0; block < length; block += 256) {
    const seed = (Math.imul(block + 1, 0x9e3779b9) ^ Math.imul(slot + 1 + 64 * step, 0x85ebca6b)) >>> 0;
    if (seed % 32 !== 0 && block !== 512) continue;
    const scale = (block === 512 ? 0.2 : 1e-6 * (seed % 1000)) / 2 ** 31;
    let state = seed | 1;
    for (let i = block; i < Math.min(block + 256, length); i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      gradient[i] = state * scale;
    }
  }
  return gradient;
}

/** What computing a slot leaves in an accumulator and says about itself. */
export function computeSlot(acc: Accumulator, step: number, slot: number): SlotResult {
  const length = acc.small.length;
  const digests = new BigUint64Array(partCount(length));
  const gradient = slotGradient(step, slot, length);
  const flagged = referenceKernels.accumulateGradient(acc, 0, gradient, GRID_BITS, digests);
  return { slot, lossBits: 0x40000000 + slot, tokens: 256, flagged, digests };
}

const expectedSums = new Map<string, Accumulator>();

/** The sum over all slots as one accumulator gives it. Computed once: not to be changed. */
export function expectedSum(step: number, slots: number, length: number): Accumulator {
  const key = `${step} ${slots} ${length}`;
  const known = expectedSums.get(key);
  if (known !== undefined) return known;
  const acc = createAccumulator(length, false);
  expectedSums.set(key, acc);
  for (let slot = 0; slot < slots; slot++) computeSlot(acc, step, slot);
  return acc;
}

export interface TestMemberOptions {
  readonly id: string;
  readonly length: number;
  readonly slots: number;
  readonly faults?: readonly TapRule[];
  readonly token?: string;
  readonly timings?: Partial<ExchangeTimings>;
}

export class TestMember {
  readonly id: string;
  readonly state;
  readonly thread: ExchangeThread;
  readonly events: ExchangeEvent[] = [];
  readonly #options: TestMemberOptions;
  #onEvent: () => void = () => undefined;
  address = '';

  constructor(options: TestMemberOptions) {
    this.#options = options;
    this.id = options.id;
    this.state = createTrainingState(options.length);
    this.thread = new ExchangeThread({
      onEvent: (event) => {
        this.events.push(event);
        this.#onEvent();
      },
      onFailure: (error) => {
        throw error;
      },
    });
  }

  async start(step: number): Promise<this> {
    const { faults, token, timings, slots } = this.#options;
    const tap = { url: threadEntry(import.meta.url, './frame-faults').href, data: faults };
    this.address = await this.thread.start({
      listen: { host: '127.0.0.1', port: 0 },
      ...(faults === undefined ? {} : { tap }),
      ...(token === undefined ? {} : { token }),
    });
    await this.thread.configure({
      ...{ runId: RUN_ID, workerId: this.id, slots, gridBits: GRID_BITS, state: this.state },
      timings: { ...DEFAULT_TIMINGS, stallMs: 1000, retryMs: 20, ...timings },
    });
    await this.thread.resetSlots(step);
    return this;
  }

  /** Drops the accumulator and begins another step. */
  async nextStep(step: number): Promise<void> {
    await this.thread.endStreams();
    clearAccumulator(this.state.accumulator, 0, this.state.params.length);
    await this.thread.resetSlots(step);
  }

  async compute(step: number, slots: readonly number[]): Promise<void> {
    for (const slot of slots) {
      await this.thread.slotDone(step, computeSlot(this.state.accumulator, step, slot));
    }
  }

  set(slots: readonly number[]): MemberSet {
    return { worker: this.id, address: this.address, slots: [...slots] };
  }

  /** Resolves with the first event that `which` picks, past ones included. */
  async event(which: (event: ExchangeEvent) => boolean): Promise<ExchangeEvent> {
    for (;;) {
      const found = this.events.find(which);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#onEvent = resolve));
    }
  }

  /** Integers of the prepared sum of a step. */
  async preparedSum(step: number): Promise<Accumulator> {
    const held = await this.thread.holdReduced(step);
    if (held === null) throw new Error(`${this.id} has prepared nothing of step ${step}`);
    const length = this.state.params.length;
    const acc = createAccumulator(length, false);
    held.parts.forEach((packed, part) => {
      const { from, to } = partRange(part, length);
      referenceKernels.unpackAdd(acc, from, to, packed);
    });
    return acc;
  }
}

/** Whether two accumulators hold the same integers, wherever they keep them. */
export function sameSum(a: Accumulator, b: Accumulator): boolean {
  for (let i = 0; i < a.small.length; i++) {
    if (accumulatorValue(a, i) !== accumulatorValue(b, i)) return false;
  }
  return a.small.length === b.small.length;
}

/** An Exchange of term 1 unless said otherwise. */
export function order(
  members: readonly MemberSet[],
  more: Partial<ExchangeOrder> & { attempt: number; step: number },
): ExchangeOrder {
  return {
    ...{ term: { number: 1, leader: 'c1' }, sets: members, from: [], isVoid: false, shadow: false },
    ...more,
  };
}
