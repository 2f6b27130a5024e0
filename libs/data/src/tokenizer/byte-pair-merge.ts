// Byte-pair merging of one piece: the pair with the lowest merge goes first, the leftmost of equals first. Words are so short
// that looking for the best pair anew after every merge is fastest; a long piece (base64, DNA: a megabyte without white space)
// takes a heap over a linked list, n log n instead of n squared.
import type { Gpt2Vocabulary } from './gpt2-vocabulary.js';

const BYTE_TOKENS = 256;
const NONE = -1;
/** A heap entry is rank * 2^32 + position, exact in a double. */
const POSITIONS = 2 ** 32;

/** Looks up which merge joins two tokens. Open addressing over typed arrays: a Map boxes keys beyond 2^31. */
export class MergeTable {
  readonly #keys: Uint32Array;
  readonly #merges: Uint16Array;
  readonly #mask: number;

  constructor(vocabulary: Gpt2Vocabulary) {
    const { mergeLeft, mergeRight } = vocabulary;
    const places = 2 ** Math.ceil(Math.log2(mergeLeft.length * 2));
    this.#mask = places - 1;
    this.#keys = new Uint32Array(places).fill(0xffff_ffff);
    this.#merges = new Uint16Array(places);
    for (let merge = 0; merge < mergeLeft.length; merge++) {
      const place = this.#placeOf(pairKey(mergeLeft[merge], mergeRight[merge]));
      this.#keys[place] = pairKey(mergeLeft[merge], mergeRight[merge]);
      this.#merges[place] = merge;
    }
  }

  /** The merge's number, or -1 if the pair never merges. */
  mergeOf(left: number, right: number): number {
    const key = pairKey(left, right);
    const place = this.#placeOf(key);
    return this.#keys[place] === key ? this.#merges[place] : NONE;
  }

  /** Where the key stands, or the free place where it would. */
  #placeOf(key: number): number {
    let place = (Math.imul(key, 0x9e37_79b1) >>> 12) & this.#mask;
    while (this.#keys[place] !== key && this.#keys[place] !== 0xffff_ffff) place = (place + 1) & this.#mask;
    return place;
  }
}

function pairKey(left: number, right: number): number {
  return ((left << 16) | right) >>> 0;
}

/** Longest piece in bytes that is scanned; measured, both ways cost the same between 64 and 128. */
const SCANNED_MAX = 128;

/** Merges pieces, one at a time, in arrays of its own. */
export class PieceMerger {
  readonly #table: MergeTable;
  /** Merge of the token at a place and its right neighbour. */
  readonly #merges = new Int32Array(SCANNED_MAX);

  constructor(table: MergeTable) {
    this.#table = table;
  }

  /**
   * Merges the first `count` entries of `ids`, one per byte, in place until no pair is left.
   *
   * @returns how many tokens they have become
   */
  merge(ids: Uint16Array, count: number): number {
    return count <= SCANNED_MAX ? this.#mergeByScan(ids, count) : mergeByHeap(this.#table, ids, count);
  }

  #mergeByScan(ids: Uint16Array, byteCount: number): number {
    const table = this.#table;
    const merges = this.#merges;
    let count = byteCount;
    for (let at = 0; at + 1 < count; at++) merges[at] = table.mergeOf(ids[at], ids[at + 1]);
    for (;;) {
      let best = NONE;
      for (let at = 0; at + 1 < count; at++) {
        if (merges[at] !== NONE && (best === NONE || merges[at] < merges[best])) best = at;
      }
      if (best === NONE) return count;
      ids[best] = BYTE_TOKENS + merges[best];
      ids.copyWithin(best + 1, best + 2, count);
      merges.copyWithin(best + 1, best + 2, count);
      count--;
      if (best > 0) merges[best - 1] = table.mergeOf(ids[best - 1], ids[best]);
      if (best + 1 < count) merges[best] = table.mergeOf(ids[best], ids[best + 1]);
    }
  }
}

function mergeByHeap(table: MergeTable, ids: Uint16Array, count: number): number {
  const next = new Int32Array(count).map((_, at) => (at + 1 < count ? at + 1 : NONE));
  const previous = new Int32Array(count).map((_, at) => at - 1);
  const alive = new Uint8Array(count).fill(1);
  const heap = new MinHeap();
  const offer = (at: number): void => {
    if (at === NONE || next[at] === NONE) return;
    const merge = table.mergeOf(ids[at], ids[next[at]]);
    if (merge !== NONE) heap.push(merge * POSITIONS + at);
  };
  for (let at = 0; at + 1 < count; at++) offer(at);

  for (let entry = heap.pop(); entry !== NONE; entry = heap.pop()) {
    const at = entry % POSITIONS;
    const merge = Math.floor(entry / POSITIONS);
    const right = next[at];
    // Entries are never taken out: one whose pair has changed since is recognised here.
    if (alive[at] === 0 || right === NONE || table.mergeOf(ids[at], ids[right]) !== merge) continue;
    ids[at] = BYTE_TOKENS + merge;
    alive[right] = 0;
    next[at] = next[right];
    if (next[at] !== NONE) previous[next[at]] = at;
    offer(previous[at]);
    offer(at);
  }
  let kept = 0;
  for (let at = 0; at < count; at++) if (alive[at] === 1) ids[kept++] = ids[at];
  return kept;
}

/** Binary heap of numbers. */
class MinHeap {
  readonly #entries: number[] = [];

  push(entry: number): void {
    const entries = this.#entries;
    let at = entries.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent] <= entry) break;
      entries[at] = entries[parent];
      at = parent;
    }
    entries[at] = entry;
  }

  /** The smallest entry, or -1. */
  pop(): number {
    const entries = this.#entries;
    const smallest = entries[0] ?? NONE;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return smallest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && entries[child + 1] < entries[child]) child++;
      if (entries[child] >= last) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = last;
    return smallest;
  }
}
