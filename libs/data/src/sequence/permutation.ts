// A pseudo-random permutation of 0 .. size-1 that needs no table: a Feistel network over the next power of two, and
// cycle walking (Black and Rogaway 2002): an image beyond the range is permuted again until it falls inside.
//
// Its values are part of a run's mathematics: whoever changes a constant here changes every shuffled run.
import { assert, philox } from '@cria/runtime';

/** So that both halves fit into 24 bits, beside the round's number in one 32-bit word. */
const SIZE_MAX = 2 ** 48;
/** Four suffice for large sizes (Luby and Rackoff 1988); small halves need a few more. Even: halves swap back. */
const ROUNDS = 8;
const HALF_BITS_MAX = 24;

/** 64 bits that choose one permutation. */
export interface PermutationKey {
  readonly low: number;
  readonly high: number;
}

/** A key from three numbers, for instance seed, source and pass; each an integer below 2^53. */
export function permutationKey(seed: number, source: number, pass: number): PermutationKey {
  const words = new Uint32Array(2);
  for (const number of [seed, source, pass]) {
    assert(Number.isSafeInteger(number) && number >= 0, 'a permutation is keyed by natural numbers');
    // One absorption a number: the state so far is the key's low word and part of the counter.
    const carried = words[1];
    philox(words[0], carried ^ Math.floor(number / 2 ** 32), number >>> 0, words);
  }
  return { low: words[0], high: words[1] };
}

/**
 * Where `index` goes under the permutation of 0 .. size-1 that `key` chooses.
 *
 * Cost: on average fewer than two passes through the network, about 3 microseconds.
 */
export function permute(key: PermutationKey, size: number, index: number): number {
  assert(Number.isSafeInteger(size) && size >= 1 && size <= SIZE_MAX, 'a permutation has 1 to 2^48 elements');
  assert(Number.isSafeInteger(index) && index >= 0 && index < size, 'the index lies in the permutation');
  const bits = bitsFor(size);
  let image = index;
  do image = feistel(key, bits, image);
  while (image >= size);
  return image;
}

/** Permutes 0 .. 2^bits - 1. With an odd number of bits the halves differ by one bit and swap sizes every round. */
function feistel(key: PermutationKey, bits: number, value: number): number {
  let leftBits = Math.floor(bits / 2);
  let rightBits = bits - leftBits;
  let left = Math.floor(value / 2 ** rightBits);
  let right = value % 2 ** rightBits;
  const words = new Uint32Array(2);
  for (let round = 0; round < ROUNDS; round++) {
    philox(key.low, key.high, ((round << HALF_BITS_MAX) | right) >>> 0, words);
    const mixed = left ^ (words[0] & (2 ** leftBits - 1));
    left = right;
    right = mixed;
    [leftBits, rightBits] = [rightBits, leftBits];
  }
  return left * 2 ** rightBits + right;
}

/** Bits that hold every number below `size`. */
function bitsFor(size: number): number {
  let bits = 0;
  while (2 ** bits < size) bits++;
  return bits;
}
