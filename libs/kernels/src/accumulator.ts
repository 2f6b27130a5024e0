// The accumulator of the exact sum. A block's values live in `small` or, where they grew too large, in `wide`;
// which of the two is an accident of history and never shows: packing, digests and sums depend on values alone.
import { assert } from '@cria/runtime';
import { BLOCK_SIZE } from './grid.js';

/**
 * Integers on the grid for the flat range [base, base + small.length).
 *
 * A block that is not wide holds -2^30 <= value < 2^30 in `small`; a wide one holds integers below 2^53 in `wide`
 * (its `small` values mean nothing). `wide` is reserved address space that is touched for wide blocks only.
 */
export interface Accumulator {
  /** Flat index of the first value, a multiple of 256. */
  readonly base: number;
  readonly small: Int32Array;
  /** Same length as `small`. */
  readonly wide: Float64Array;
  /** One byte per block: 1 = its values are in `wide`. */
  readonly isWide: Uint8Array;
}

/**
 * A zeroed accumulator.
 *
 * @param length values, a multiple of 256
 * @param shared over SharedArrayBuffers, for several threads
 * @param base flat index of the first value
 */
export function createAccumulator(length: number, shared: boolean, base = 0): Accumulator {
  assert(length % BLOCK_SIZE === 0 && base % BLOCK_SIZE === 0, 'an accumulator holds whole blocks');
  const allocate = (bytes: number): ArrayBuffer | SharedArrayBuffer =>
    shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  return {
    base,
    small: new Int32Array(allocate(4 * length)),
    wide: new Float64Array(allocate(8 * length)),
    isWide: new Uint8Array(allocate(length / BLOCK_SIZE)),
  };
}

/** Sets the flat range [from, to) to zero; both multiples of 256. */
export function clearAccumulator(acc: Accumulator, from: number, to: number): void {
  acc.small.fill(0, from - acc.base, to - acc.base);
  acc.isWide.fill(0, (from - acc.base) / BLOCK_SIZE, (to - acc.base) / BLOCK_SIZE);
}

/** Overwrites the flat range [from, to) of `target` with that of `source`; both multiples of 256. */
export function copyAccumulator(target: Accumulator, source: Accumulator, from: number, to: number): void {
  target.small.set(source.small.subarray(from - source.base, to - source.base), from - target.base);
  for (let at = from; at < to; at += BLOCK_SIZE) {
    const wide = source.isWide[(at - source.base) / BLOCK_SIZE];
    target.isWide[(at - target.base) / BLOCK_SIZE] = wide;
    if (wide === 0) continue;
    const begin = at - source.base;
    target.wide.set(source.wide.subarray(begin, begin + BLOCK_SIZE), at - target.base);
  }
}

/** The integer at flat index `index`; for tests and diagnostics. */
export function accumulatorValue(acc: Accumulator, index: number): number {
  const at = index - acc.base;
  return acc.isWide[Math.floor(at / BLOCK_SIZE)] === 0 ? acc.small[at] : acc.wide[at];
}

/** Moves the block that begins at array index `at` (relative to `base`) to the side table. */
export function widenBlock(acc: Accumulator, at: number): void {
  for (let j = at; j < at + BLOCK_SIZE; j++) acc.wide[j] = acc.small[j];
  acc.isWide[at / BLOCK_SIZE] = 1;
}
