// The linear digest L: sum over blocks b of W_b * (sum over j of w_j * q[256 b + j]), mod 2^64, with fixed odd 64-bit
// weights. Linear: L(x + y) = L(x) + L(y), so the digest of a sum is the sum of the digests, in any order. Weights
// are odd, so no single flipped bit (a change of 2^k, k < 64) can leave it unchanged.
//
// JavaScript has no fast 64-bit integers. A block's sum S = sum w_j * q_j is found from three cheap ones: its low 32
// bits exactly (Math.imul wraps), the high halves of the weights times q exactly mod 2^32, and T = sum low(w_j) * q_j
// in doubles with an error far below 2^31, which is enough: T's low 32 bits are known, so rounding gives the rest.
import { assert } from '@cria/runtime';
import { BLOCK_SIZE } from '../grid.js';
import { weightHigh, weightLow, WEIGHTS_HIGH, WEIGHTS_LOW, WEIGHTS_LOW_F64 } from './weights.js';

const TWO_32 = 2 ** 32;
const BLOCK_SEED = 0x85a308d3;
const STATE_SEED = 0x13198a2e;

// Copies of imported constants: V8 folds a module's own constants, an imported one costs a load and checks at every use.
const BLOCK = BLOCK_SIZE;
const LOW = WEIGHTS_LOW;
const HIGH = WEIGHTS_HIGH;
const LOW_F64 = WEIGHTS_LOW_F64;

/** Sums W_b * S_b over blocks. Halves are kept as doubles, exact for 2^20 blocks between two {@link take}s. */
export class LinearDigest {
  #low = 0;
  #high = 0;
  #blocks = 0;
  #total = 0n;

  /**
   * Adds one block.
   *
   * @param blockIndex index of the block in the flat array
   * @param low sum of imul(low(w_j), q_j), wrapped to 32 bits
   * @param high sum of imul(high(w_j), q_j), wrapped to 32 bits
   * @param approximate sum of low(w_j) * q_j in doubles; an error below 2^31 does not matter
   */
  addBlock(blockIndex: number, low: number, high: number, approximate: number): void {
    const sumLow = low >>> 0;
    const carry = Math.round((approximate - sumLow) / TWO_32);
    const sumHigh = (high + (carry % TWO_32)) | 0;
    const blockLow = weightLow(BLOCK_SEED, blockIndex);
    const productLow = Math.imul(blockLow, sumLow) >>> 0;
    const productCarry = Math.round((blockLow * sumLow - productLow) / TWO_32);
    const cross = Math.imul(blockLow, sumHigh) + Math.imul(weightHigh(BLOCK_SEED, blockIndex), sumLow);
    this.#low += productLow;
    this.#high += (productCarry + cross) % TWO_32;
    if (++this.#blocks === 1 << 20) this.#fold();
  }

  /** The digest so far, and starts anew. */
  take(): bigint {
    this.#fold();
    const total = this.#total;
    this.#total = 0n;
    return total;
  }

  #fold(): void {
    this.#total = BigInt.asUintN(64, this.#total + BigInt(this.#low) + (BigInt(this.#high) << 32n));
    this.#low = this.#high = this.#blocks = 0;
  }
}

/** Adds a block of 32-bit integers, values[at .. at + count). */
export function digestInts(digest: LinearDigest, blockIndex: number, values: Int32Array, at: number): void {
  let low = 0;
  let high = 0;
  let approximate = 0;
  for (let j = 0; j < BLOCK; j++) {
    const q = values[at + j];
    low = (low + Math.imul(LOW[j], q)) | 0;
    high = (high + Math.imul(HIGH[j], q)) | 0;
    approximate += LOW_F64[j] * q;
  }
  digest.addBlock(blockIndex, low, high, approximate);
}

/** Adds a block of exact integers below 2^53 in doubles, values[at .. at + 256). */
export function digestDoubles(
  digest: LinearDigest,
  blockIndex: number,
  values: Float64Array,
  at: number,
): void {
  let low = 0;
  let high = 0;
  let approximate = 0;
  for (let j = 0; j < BLOCK; j++) {
    const value = values[at + j];
    const q = value | 0;
    const upper = (value - q) / TWO_32; // value = upper * 2^32 + q
    low = (low + Math.imul(LOW[j], q)) | 0;
    high = (high + Math.imul(HIGH[j], q) + Math.imul(LOW[j], upper)) | 0;
    approximate += LOW_F64[j] * q;
  }
  digest.addBlock(blockIndex, low, high, approximate);
}

/** `Kernels.digestWords`: a word counts as an integer from 0 to 2^32 - 1. */
export function digestWords(words: Uint32Array, flatOffset: number): bigint {
  assert(flatOffset % BLOCK === 0, 'words begin at a block');
  const digest = new LinearDigest();
  for (let at = 0; at < words.length; at += BLOCK) {
    const count = Math.min(BLOCK, words.length - at);
    let low = 0;
    let high = 0;
    let approximate = 0;
    for (let j = 0; j < count; j++) {
      const word = words[at + j];
      low = (low + Math.imul(LOW[j], word)) | 0;
      high = (high + Math.imul(HIGH[j], word)) | 0;
      approximate += LOW_F64[j] * word;
    }
    digest.addBlock((flatOffset + at) / BLOCK, low, high, approximate);
  }
  return digest.take();
}

const STATE_WEIGHTS = [0, 1, 2].map(
  (i) => (BigInt(weightHigh(STATE_SEED, i)) << 32n) | BigInt(weightLow(STATE_SEED, i)),
);

/** The state digest from the three arrays' digests (each a `digestWords` over the whole array or a sum of pieces). */
export function combineStateDigest(params: bigint, expAvg: bigint, expAvgSq: bigint): bigint {
  const [ofParams, ofExpAvg, ofExpAvgSq] = STATE_WEIGHTS as [bigint, bigint, bigint];
  return BigInt.asUintN(64, ofParams * params + ofExpAvg * expAvg + ofExpAvgSq * expAvgSq);
}
