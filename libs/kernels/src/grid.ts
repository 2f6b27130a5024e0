// The sizes and limits of the exact sum. All but the part's size are of the arithmetic version: another value is another
// run. Parts decide no bit of the state: another size is another protocol.
import { CriaError } from '@cria/runtime';

/** Values per block: the unit of packing, of the wide side table and of the digests. Layouts pad tensors to it. */
export const BLOCK_SIZE = 256;

/** Values per part: what one member owns, pulls and serves at a time. The last part may be shorter. */
export const PART_SIZE = 1 << 20;

/** Values whose squares are summed in one chunk (see `squareSum`); a part holds a whole number of chunks. */
export const SQUARE_CHUNK_SIZE = 4096;

/** A gradient value with |x| at or above this adds 0 and flags its slot. */
export const GRADIENT_LIMIT = 512;

/** Finest grid: |q| stays below 2^50, so that 8 slots of the largest values sum exactly in a double. */
export const MAX_GRID_BITS = 40;

/** Number of parts of a flat array of `length` values. */
export function partCount(length: number): number {
  return Math.ceil(length / PART_SIZE);
}

/** Flat range of part `part`: [from, to). */
export function partRange(part: number, length: number): { from: number; to: number } {
  return { from: part * PART_SIZE, to: Math.min((part + 1) * PART_SIZE, length) };
}

/**
 * Checks that K slots on the grid 2^-gridBits sum exactly: 2^9 * K * 2^gridBits <= 2^53.
 *
 * @throws CONFIG_INVALID naming the largest grid that K allows
 */
export function checkGrid(gridBits: number, slots: number): void {
  const largest = Math.min(MAX_GRID_BITS, 53 - 9 - Math.ceil(Math.log2(slots)));
  if (Number.isInteger(gridBits) && gridBits >= 1 && gridBits <= largest) return;
  throw new CriaError(
    'CONFIG_INVALID',
    `exchange.gridBits is ${gridBits}; with ${slots} slots it must be a whole number from 1 to ${largest}`,
    { context: { gridBits, slots, largest } },
  );
}

/** The factor from the integer sum to the mean of K slots: 2^-gridBits / K as a double. */
export function meanScale(gridBits: number, slots: number): number {
  return 2 ** -gridBits / slots;
}
