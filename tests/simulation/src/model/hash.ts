/** Mixes 32-bit words into one; every bit of the inputs matters. */
export function mix(...words: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0xcc9e2d51);
    hash = (hash << 15) | (hash >>> 17);
    hash = Math.imul(hash, 0x1b873593);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Adds mod 2^32: the integer sums of slots. */
export function add(a: number, b: number): number {
  return (a + b) >>> 0;
}

/** As digests stand in the ledger: 16 hex digits. */
export function hex(word: number): string {
  return word.toString(16).padStart(16, '0');
}
