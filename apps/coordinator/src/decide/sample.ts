// Which slots are computed twice: a function of genesis, step and slot alone, so that every leader names the same.

/** True for a share of `fraction` of all slots. */
export function isSampled(at: { genesis: string; step: number; slot: number }, fraction: number): boolean {
  if (fraction <= 0) return false;
  if (fraction >= 1) return true;
  let hash = 0x811c9dc5;
  for (let i = 0; i < at.genesis.length; i++) hash = mix(hash, at.genesis.charCodeAt(i));
  return finish(mix(mix(hash, at.step), at.slot)) < fraction * 2 ** 32;
}

/** A round of Murmur3 for 32 bits. */
function mix(hash: number, word: number): number {
  let key = Math.imul(word, 0xcc9e2d51);
  key = Math.imul((key << 15) | (key >>> 17), 0x1b873593);
  const mixed = hash ^ key;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Murmur3's finalizer: every bit of the input changes half of the output. */
function finish(hash: number): number {
  let word = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
