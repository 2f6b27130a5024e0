// Reading packed ranges: into an accumulator, into its digest, into the mean gradient.
import { assert } from '@cria/runtime';
import type { Accumulator } from '../accumulator.js';
import { widenBlock } from '../accumulator.js';
import { BLOCK_SIZE } from '../grid.js';
import { digestDoubles, digestInts, LinearDigest } from './digest.js';
import { openPacked, unpackNarrow, unpackWide } from './pack.js';
import type { PackedRange } from './pack.js';

// Own copy, for the reason that digest.ts gives.
const BLOCK = BLOCK_SIZE;
const SMALL_LIMIT = 2 ** 30;
const narrow = new Int32Array(BLOCK);
const wide = new Float64Array(BLOCK);

/** `Kernels.unpackAdd`. */
export function unpackAdd(acc: Accumulator, from: number, to: number, packed: Uint8Array): bigint {
  const range = openRange(packed, from, to);
  assert(from >= acc.base && to - acc.base <= acc.small.length, 'a packed range lies inside the accumulator');
  checkWideBlocks(range);
  const digest = new LinearDigest();
  let at = 0;
  for (let b = 0; b < range.widths.length; b++) {
    const width = range.widths[b];
    if (width === 0) continue;
    const flat = from + b * BLOCK;
    if (width <= 32) {
      at = unpackNarrow(range.payload, at, width, narrow);
      digestInts(digest, flat / BLOCK, narrow, 0);
      addNarrow(acc, flat - acc.base, width);
    } else {
      at = unpackWide(range.payload, at, wide);
      digestDoubles(digest, flat / BLOCK, wide, 0);
      addToWide(acc, flat - acc.base, wide);
    }
  }
  return digest.take();
}

/** Width 31 means |q| <= 2^30: added to a small block it cannot overflow int32. */
function addNarrow(acc: Accumulator, at: number, width: number): void {
  if (width === 32 || acc.isWide[at / BLOCK] !== 0) return addToWide(acc, at, narrow);
  const small = acc.small;
  let spread = 0;
  for (let j = 0; j < BLOCK; j++) {
    const sum = (small[at + j] + narrow[j]) | 0;
    small[at + j] = sum;
    spread |= sum ^ (sum >> 31);
  }
  if (spread >= SMALL_LIMIT) widenBlock(acc, at);
}

function addToWide(acc: Accumulator, at: number, values: Int32Array | Float64Array): void {
  if (acc.isWide[at / BLOCK] === 0) widenBlock(acc, at);
  for (let j = 0; j < BLOCK; j++) acc.wide[at + j] += values[j];
}

/** `Kernels.packedDigest`. */
export function packedDigest(packed: Uint8Array, from: number, to: number): bigint {
  const { widths, payload } = openRange(packed, from, to);
  const digest = new LinearDigest();
  let at = 0;
  for (let b = 0; b < widths.length; b++) {
    const width = widths[b];
    if (width === 0) continue;
    const blockIndex = from / BLOCK + b;
    if (width <= 32) {
      at = unpackNarrow(payload, at, width, narrow);
      digestInts(digest, blockIndex, narrow, 0);
    } else {
      at = unpackWide(payload, at, wide);
      digestDoubles(digest, blockIndex, wide, 0);
    }
  }
  return digest.take();
}

/** `Kernels.unpackMean`. */
export function unpackMean(packed: Uint8Array, scale: number, out: Float32Array): void {
  const { widths, payload } = openRange(packed, 0, out.length);
  let at = 0;
  for (let b = 0; b < widths.length; b++) {
    const width = widths[b];
    const to = b * BLOCK;
    if (width === 0) {
      out.fill(0, to, to + BLOCK);
    } else if (width <= 32) {
      at = unpackNarrow(payload, at, width, narrow);
      for (let j = 0; j < BLOCK; j++) out[to + j] = narrow[j] * scale;
    } else {
      at = unpackWide(payload, at, wide);
      for (let j = 0; j < BLOCK; j++) out[to + j] = wide[j] * scale;
    }
  }
}

function openRange(packed: Uint8Array, from: number, to: number): PackedRange {
  assert(from % BLOCK === 0 && to % BLOCK === 0 && from <= to, 'a packed range is whole blocks');
  return openPacked(packed, (to - from) / BLOCK);
}

/** Reads every wide block once, so that an impossible integer is found before anything is added. */
function checkWideBlocks({ widths, payload }: PackedRange): void {
  let at = 0;
  for (const width of widths) at = width <= 32 ? at + 8 * width : unpackWide(payload, at, wide);
}
