// Bit packing, lossless. A packed range is one byte per block of 256 (the width w), then each block's payload:
//   w = 0        nothing, all 256 values are 0
//   w = 1..32    zigzag(q) = (q << 1) ^ (q >> 63) in w bits. Value j is in lane j % 8, row j / 8; a lane is its 32
//                rows one after the other from the lowest bit on = w little-endian words; word t of lane l is the
//                block's word 8t + l: 32w bytes
//   w = 33..54   the 256 values as little-endian int64: 2,048 bytes
// w is the width of the largest zigzag value, so equal values always give equal bytes.
import { assert, CriaError } from '@cria/runtime';
import type { Accumulator } from '../accumulator.js';
import { BLOCK_SIZE } from '../grid.js';

// A module's own constant is folded by V8, an imported one is loaded at every use.
const BLOCK = BLOCK_SIZE;
const LANES = 8;
const ROWS = BLOCK / LANES;
/** Zigzag width of the largest integer that a double holds exactly. */
export const MAX_WIDTH = 54;
const WIDE_WORDS = 2 * BLOCK;
const TWO_32 = 2 ** 32;
const narrowed = new Int32Array(BLOCK);

/** `Kernels.packPart`. */
export function packPart(
  acc: Accumulator,
  from: number,
  to: number,
  room = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes),
): Uint8Array {
  assert(from % BLOCK === 0 && to % BLOCK === 0 && from <= to, 'a packed range is whole blocks');
  assert(from >= acc.base && to - acc.base <= acc.small.length, 'a packed range lies inside the accumulator');
  const blocks = (to - from) / BLOCK;
  const first = from - acc.base;
  const widths = new Uint8Array(blocks);
  let words = 0;
  for (let b = 0; b < blocks; b++) {
    widths[b] = blockWidth(acc, first + b * BLOCK);
    words += payloadWords(widths[b]);
  }
  const packed = room(blocks + 4 * words);
  packed.set(widths);
  const aligned = blocks % 4 === 0;
  const payload = aligned
    ? new Int32Array(packed.buffer, packed.byteOffset + blocks, words)
    : new Int32Array(words);
  for (let b = 0, at = 0; b < blocks; b++) {
    packBlock(acc, first + b * BLOCK, widths[b], payload, at);
    at += payloadWords(widths[b]);
  }
  if (!aligned) packed.set(new Uint8Array(payload.buffer), blocks);
  return packed;
}

function payloadWords(width: number): number {
  return width <= 32 ? LANES * width : WIDE_WORDS;
}

function blockWidth(acc: Accumulator, at: number): number {
  if (acc.isWide[at / BLOCK] !== 0) return wideWidth(acc.wide, at);
  return narrowWidth(acc.small, at);
}

function narrowWidth(small: Int32Array, at: number): number {
  let union = 0;
  for (let j = 0; j < BLOCK; j++) {
    const q = small[at + j];
    union |= (q << 1) ^ (q >> 31);
  }
  return 32 - Math.clz32(union);
}

function wideWidth(wide: Float64Array, at: number): number {
  let largest = 0;
  for (let j = at; j < at + BLOCK; j++) {
    const q = wide[j];
    const zigzag = q < 0 ? -2 * q - 1 : 2 * q;
    if (zigzag > largest) largest = zigzag;
  }
  if (largest < TWO_32) return 32 - Math.clz32(largest);
  return 64 - Math.clz32(Math.floor(largest / TWO_32));
}

function packBlock(acc: Accumulator, at: number, width: number, payload: Int32Array, to: number): void {
  if (width === 0) return;
  if (acc.isWide[at / BLOCK] === 0) return packNarrow(acc.small, at, width, payload, to);
  if (width > 32) return packWide(acc.wide, at, payload, to);
  for (let j = 0; j < BLOCK; j++) narrowed[j] = acc.wide[at + j];
  packNarrow(narrowed, 0, width, payload, to);
}

function packNarrow(values: Int32Array, at: number, width: number, payload: Int32Array, to: number): void {
  for (let row = 0; row < ROWS; row++) {
    const bit = row * width;
    const shift = bit & 31;
    const word = to + LANES * (bit >>> 5);
    const value = at + LANES * row;
    const spills = shift + width > 32;
    for (let lane = 0; lane < LANES; lane++) {
      const q = values[value + lane];
      const zigzag = (q << 1) ^ (q >> 31);
      payload[word + lane] |= zigzag << shift;
      if (spills) payload[word + LANES + lane] = zigzag >>> (32 - shift);
    }
  }
}

function packWide(wide: Float64Array, at: number, payload: Int32Array, to: number): void {
  for (let j = 0; j < BLOCK; j++) {
    const q = wide[at + j];
    payload[to + 2 * j] = q | 0;
    payload[to + 2 * j + 1] = Math.floor(q / TWO_32);
  }
}

/** A packed range whose table was checked against its length: reading it stays inside. */
export interface PackedRange {
  readonly widths: Uint8Array;
  readonly payload: Int32Array;
}

/**
 * Checks the table of a packed range of `blocks` blocks.
 *
 * @throws PEER_DAMAGED when a width is impossible or the payload's length is not what the table says
 */
export function openPacked(packed: Uint8Array, blocks: number): PackedRange {
  if (packed.length < blocks)
    throw damaged(`${packed.length} bytes cannot hold the table of ${blocks} blocks`);
  const widths = packed.subarray(0, blocks);
  let words = 0;
  for (let b = 0; b < blocks; b++) {
    if (widths[b] > MAX_WIDTH)
      throw damaged(`block ${b} has width ${widths[b]}, the largest is ${MAX_WIDTH}`);
    words += payloadWords(widths[b]);
  }
  const payloadBytes = packed.length - blocks;
  if (payloadBytes !== 4 * words) {
    throw damaged(`its table asks for ${4 * words} bytes of payload, there are ${payloadBytes}`);
  }
  const start = packed.byteOffset + blocks;
  if (start % 4 === 0) return { widths, payload: new Int32Array(packed.buffer, start, words) };
  const copy = new Uint8Array(payloadBytes);
  copy.set(packed.subarray(blocks));
  return { widths, payload: new Int32Array(copy.buffer) };
}

/** Unpacks a block of width 1 to 32 that begins at payload[at]; returns where the next one begins. */
export function unpackNarrow(payload: Int32Array, at: number, width: number, out: Int32Array): number {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  for (let row = 0; row < ROWS; row++) {
    const bit = row * width;
    const shift = bit & 31;
    const word = at + LANES * (bit >>> 5);
    const value = LANES * row;
    if (shift + width <= 32) {
      for (let lane = 0; lane < LANES; lane++) {
        const zigzag = (payload[word + lane] >>> shift) & mask;
        out[value + lane] = (zigzag >>> 1) ^ -(zigzag & 1);
      }
      continue;
    }
    for (let lane = 0; lane < LANES; lane++) {
      const low = payload[word + lane] >>> shift;
      const zigzag = (low | (payload[word + LANES + lane] << (32 - shift))) & mask;
      out[value + lane] = (zigzag >>> 1) ^ -(zigzag & 1);
    }
  }
  return at + LANES * width;
}

/** Unpacks a block of int64; returns where the next one begins. Throws PEER_DAMAGED beyond 2^53. */
export function unpackWide(payload: Int32Array, at: number, out: Float64Array): number {
  for (let j = 0; j < BLOCK; j++) {
    const high = payload[at + 2 * j + 1];
    if (high >= 1 << 21 || high < -(1 << 21)) throw damaged('it holds an integer beyond 2^53');
    out[j] = high * TWO_32 + (payload[at + 2 * j] >>> 0);
  }
  return at + WIDE_WORDS;
}

function damaged(why: string): CriaError {
  return new CriaError('PEER_DAMAGED', `a packed part is malformed: ${why}`);
}
