// Serves ranges of the state, and keeps what a checkpoint stripe still needs before the next step overwrites it.
import { partCount, partRange } from '@cria/kernels';
import type { Kernels } from '@cria/kernels';
import { combineStateDigest } from '@cria/kernels';
import { assert } from '@cria/runtime';
import type { PartAnswer } from '../wire/part-source.js';
import { partPosition, readPartStable } from '../state/training-state.js';
import type { SharedTrainingState, StatePart } from '../state/training-state.js';

interface Stripe {
  readonly position: number;
  /** Parts that were not pulled yet; the copy once one was made. */
  readonly waiting: Map<number, StatePart | null>;
}

export class StateKeeper {
  readonly #state: SharedTrainingState;
  readonly #kernels: Kernels;
  readonly #onPulled: (position: number) => void;
  #stripe: Stripe | null = null;

  constructor(state: SharedTrainingState, kernels: Kernels, onPulled: (position: number) => void) {
    this.#state = state;
    this.#kernels = kernels;
    this.#onPulled = onPulled;
  }

  /** From now on, `parts` at `position` are kept until they were pulled, whatever is applied meanwhile. */
  preserve(position: number, parts: readonly number[]): void {
    this.#stripe = { position, waiting: new Map(parts.map((part) => [part, null])) };
    if (parts.length === 0) this.#onPulled(position);
  }

  /**
   * Copies what of the stripe was neither pulled nor copied; to be called before a step is applied. A part that is
   * past the position already cannot be kept: whoever pulls it sees the other position and orders the stripe again.
   */
  secure(): void {
    if (this.#stripe === null) return;
    const { position, waiting } = this.#stripe;
    for (const [part, copy] of waiting) {
      if (copy !== null) continue;
      const read = readPartStable(this.#state, part);
      assert(read !== null, `part ${part} is copied before the step is applied`);
      if (read.position === position) waiting.set(part, read);
      else waiting.delete(part);
    }
  }

  /** Gives the stripe up. */
  release(): void {
    this.#stripe = null;
  }

  /**
   * What to say to a request for a part of the state: its kept copy when that has the wanted position, otherwise the
   * live part, at that position or a later one.
   */
  answer(part: number, wantedPosition: number): PartAnswer {
    if (part >= partCount(this.#state.params.length)) {
      return { kind: 'refused', reason: `the state has no part ${part}` };
    }
    const stripe = this.#stripe?.position === wantedPosition ? this.#stripe : null;
    const read = stripe?.waiting.get(part) ?? readPartStable(this.#state, part);
    if (read === null) return { kind: 'not-yet', reason: `part ${part} is being applied` };
    // Donors are about to get there: what is behind would only have to be pulled again.
    if (read.position < wantedPosition)
      return { kind: 'not-yet', reason: `part ${part} is at ${read.position}` };
    const isOfStripe = stripe !== null && stripe.waiting.has(part) && read.position === wantedPosition;
    return {
      kind: 'part',
      bytes: read.bytes,
      digest: statePartDigest(this.#kernels, read.bytes, partRange(part, this.#state.params.length).from),
      position: read.position,
      slots: [],
      ...(isOfStripe ? { onSent: () => this.#sent(stripe, part) } : {}),
    };
  }

  /** Position of every part; null where one is being rewritten. */
  positions(): Array<number | null> {
    return Array.from(this.#state.partVersion, (_, part) => partPosition(this.#state, part));
  }

  #sent(stripe: Stripe, part: number): void {
    if (!stripe.waiting.delete(part) || stripe.waiting.size > 0 || stripe !== this.#stripe) return;
    this.#onPulled(stripe.position);
  }
}

/**
 * The state digest of one part's bytes (params, expAvg, expAvgSq). Digests of parts add up mod 2^64 to that of the
 * whole state.
 */
export function statePartDigest(kernels: Kernels, bytes: Uint8Array, flatOffset: number): bigint {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const size = words.length / 3;
  const [params, expAvg, expAvgSq] = [0, 1, 2].map((i) =>
    kernels.digestWords(words.subarray(i * size, (i + 1) * size), flatOffset),
  ) as [bigint, bigint, bigint];
  return combineStateDigest(params, expAvg, expAvgSq);
}
