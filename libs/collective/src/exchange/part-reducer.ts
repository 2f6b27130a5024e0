// Adds one part: the own accumulator's values and what was pulled from the others.
import type { Accumulator, Kernels } from '@cria/kernels';
import { clearAccumulator, copyAccumulator, createAccumulator, PART_SIZE, partRange } from '@cria/kernels';
import type { ReducedPart } from './reduced-store.js';
import type { SharedRooms } from './shared-rooms.js';

/** A member's share of a part. */
export interface Contribution {
  readonly peer: string;
  readonly packed: Uint8Array;
  /** What the sender says L is. */
  readonly digest: bigint;
}

export type Reduction =
  | { readonly kind: 'reduced'; readonly part: ReducedPart }
  /** Whose values do not match their digest; empty when the sum itself went wrong. */
  | { readonly kind: 'damaged'; readonly peer: string; readonly why: string };

export class PartReducer {
  readonly #kernels: Kernels;
  readonly #accumulator: Accumulator;
  readonly #rooms: SharedRooms;
  readonly #buffer = createAccumulator(PART_SIZE, false);

  /** @param rooms where sums go */
  constructor(kernels: Kernels, accumulator: Accumulator, rooms: SharedRooms) {
    this.#kernels = kernels;
    this.#accumulator = accumulator;
    this.#rooms = rooms;
  }

  /** The own values of a part, packed; all zero when the own set is empty, whatever the accumulator holds. */
  packOwn(part: number, isEmpty: boolean): Uint8Array {
    const { from, to } = this.#range(part);
    if (!isEmpty) return this.#kernels.packPart(this.#accumulator, from, to);
    return this.#kernels.packPart(createAccumulator(to - from, false, from), from, to);
  }

  /** @param own this member's share, or null when its set is empty */
  reduce(
    part: number,
    own: { peer: string; digest: bigint } | null,
    others: readonly Contribution[],
  ): Reduction {
    const { from, to } = this.#range(part);
    const sum: Accumulator = { ...this.#buffer, base: from };
    if (own === null) clearAccumulator(sum, from, to);
    else copyAccumulator(sum, this.#accumulator, from, to);
    let digest = own?.digest ?? 0n;
    for (const { peer, packed, digest: announced } of others) {
      if (this.#kernels.unpackAdd(sum, from, to, packed) !== announced) {
        return { kind: 'damaged', peer, why: `its values of part ${part} do not match their digest` };
      }
      digest += announced;
    }
    digest = BigInt.asUintN(64, digest);
    const bytes = this.#kernels.packPart(sum, from, to, (sizeBytes) => this.#rooms.take(sizeBytes));
    if (this.#kernels.packedDigest(bytes, from, to) === digest) {
      return { kind: 'reduced', part: { bytes, digest } };
    }
    const isOwn = own !== null && this.#kernels.accumulatorDigest(this.#accumulator, from, to) !== own.digest;
    const why = isOwn ? 'the accumulator does not match its digest' : 'the sum does not match its digest';
    return { kind: 'damaged', peer: isOwn ? own.peer : '', why: `${why} in part ${part}` };
  }

  #range(part: number): { from: number; to: number } {
    return partRange(part, this.#accumulator.small.length);
  }
}
