// Gradient -> grid -> accumulator. Rounding is x * 2^g (exact) to the nearest even integer by the magic number
// 1.5 * 2^52, and only then added: adding x to the accumulator first would let the sum decide a tie.
import { assert } from '@cria/runtime';
import type { Accumulator } from '../accumulator.js';
import { widenBlock } from '../accumulator.js';
import { BLOCK_SIZE, GRADIENT_LIMIT, PART_SIZE } from '../grid.js';
import { digestDoubles, digestInts, LinearDigest } from './digest.js';
import { WEIGHTS_HIGH, WEIGHTS_LOW, WEIGHTS_LOW_F64 } from './weights.js';

const MAGIC = 1.5 * 2 ** 52;
const SMALL_LIMIT = 2 ** 30;
// Own constants, for the reason that digest.ts gives.
const BLOCK = BLOCK_SIZE;
const LOW = WEIGHTS_LOW;
const HIGH = WEIGHTS_HIGH;
const LOW_F64 = WEIGHTS_LOW_F64;

const rounded = new Float64Array(BLOCK);
const peakBits = new Int32Array(1);
const peakFloat = new Float32Array(peakBits.buffer);

/** `Kernels.accumulateGradient`. */
export function accumulateGradient(
  acc: Accumulator,
  offset: number,
  gradient: Float32Array,
  gridBits: number,
  digests: BigUint64Array,
): boolean {
  assert(offset % BLOCK === 0, 'a gradient begins at a block');
  assert(offset >= acc.base, 'a gradient lies inside the accumulator');
  assert(offset + gradient.length - acc.base <= acc.small.length, 'a gradient lies inside the accumulator');
  const bits = new Int32Array(gradient.buffer, gradient.byteOffset, gradient.length);
  const scale = 2 ** gridBits;
  const digest = new LinearDigest();
  let flagged = false;
  for (let from = 0; from < gradient.length; from += BLOCK) {
    const count = Math.min(BLOCK, gradient.length - from);
    const flat = offset + from;
    const peak = largestMagnitude(bits, from, count);
    if (peak !== 0) {
      const at = flat - acc.base;
      if (peak * scale < SMALL_LIMIT && acc.isWide[at / BLOCK] === 0) {
        addSmall(acc, at, gradient, from, count, scale, digest, flat / BLOCK);
      } else {
        flagged = !(peak < GRADIENT_LIMIT) || flagged;
        roundGuarded(gradient, from, count, scale);
        digestDoubles(digest, flat / BLOCK, rounded, 0);
        addWide(acc, at);
      }
    }
    const next = flat + BLOCK;
    if (next % PART_SIZE === 0 || from + BLOCK >= gradient.length) {
      const part = Math.floor(flat / PART_SIZE);
      digests[part] += digest.take(); // a BigUint64Array wraps mod 2^64
    }
  }
  return flagged;
}

/** Largest |x| of the block; Infinity or NaN where one is in it. Compares bits: they order as magnitudes do. */
function largestMagnitude(bits: Int32Array, from: number, count: number): number {
  let largest = 0;
  for (let j = from; j < from + count; j++) {
    const magnitude = bits[j] & 0x7fffffff;
    if (magnitude > largest) largest = magnitude;
  }
  peakBits[0] = largest;
  return peakFloat[0];
}

/** The ordinary block: |q| < 2^30 and the accumulator in int32, whose sum cannot overflow. */
function addSmall(
  acc: Accumulator,
  at: number,
  gradient: Float32Array,
  from: number,
  count: number,
  scale: number,
  digest: LinearDigest,
  blockIndex: number,
): void {
  const small = acc.small;
  let low = 0;
  let high = 0;
  let approximate = 0;
  let spread = 0;
  for (let j = 0; j < count; j++) {
    const q = gradient[from + j] * scale + MAGIC - MAGIC;
    const int = q | 0;
    low = (low + Math.imul(LOW[j], int)) | 0;
    high = (high + Math.imul(HIGH[j], int)) | 0;
    approximate += LOW_F64[j] * q;
    const sum = (small[at + j] + int) | 0;
    small[at + j] = sum;
    spread |= sum ^ (sum >> 31);
  }
  digest.addBlock(blockIndex, low, high, approximate);
  if (spread >= SMALL_LIMIT) widenBlock(acc, at);
}

/** Rounds a block that may hold anything into `rounded`; what is out of range or NaN becomes 0. */
function roundGuarded(gradient: Float32Array, from: number, count: number, scale: number): void {
  rounded.fill(0, count);
  for (let j = 0; j < count; j++) {
    const x = gradient[from + j];
    rounded[j] = Math.abs(x) < GRADIENT_LIMIT ? x * scale + MAGIC - MAGIC : 0;
  }
}

/** Adds `rounded` by way of the side table. A flagged block may take this path too: its values are the same there. */
function addWide(acc: Accumulator, at: number): void {
  if (acc.isWide[at / BLOCK] === 0) widenBlock(acc, at);
  for (let j = 0; j < BLOCK; j++) acc.wide[at + j] += rounded[j];
}

/** `Kernels.accumulatorDigest`. */
export function accumulatorDigest(acc: Accumulator, from: number, to: number): bigint {
  const digest = new LinearDigest();
  for (let flat = from; flat < to; flat += BLOCK) {
    const at = flat - acc.base;
    if (acc.isWide[at / BLOCK] === 0) digestInts(digest, flat / BLOCK, acc.small, at);
    else digestDoubles(digest, flat / BLOCK, acc.wide, at);
  }
  return digest.take();
}
