// The fixed odd 64-bit weights of the linear digest, by an integer hash of their index.
import { BLOCK_SIZE } from '../grid.js';

const WORD_SEED = 0x243f6a88;
const HIGH_SEED = 0x9e3779b9;

/** 32-bit integer hash (Wellons' "lowbias32"), a bijection. */
function mix32(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Low half of the 64-bit weight `index` of a family, odd. */
export const weightLow = (seed: number, index: number): number => (mix32((seed + index) | 0) | 1) >>> 0;
/** Its high half. */
export const weightHigh = (seed: number, index: number): number =>
  mix32((mix32((seed + index) | 0) + HIGH_SEED) | 0);

const indices = Array.from({ length: BLOCK_SIZE }, (_, j) => j);
/** Low and high halves of w_j, for Math.imul; the low half once more as a positive double. */
export const WEIGHTS_LOW = Int32Array.from(indices, (j) => weightLow(WORD_SEED, j));
export const WEIGHTS_HIGH = Int32Array.from(indices, (j) => weightHigh(WORD_SEED, j));
export const WEIGHTS_LOW_F64 = Float64Array.from(indices, (j) => weightLow(WORD_SEED, j));
