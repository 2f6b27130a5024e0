// Counter-based random numbers: the value depends on (seed, counter) alone, so there is no state to
// lose and no order in which values have to be drawn. Philox2x32-10 (Salmon et al., SC'11): integer
// multiplications and xors only, the same bits on every machine.

const MULTIPLIER = 0xd256d193;
const WEYL = 0x9e3779b9;

/**
 * Philox2x32 with ten rounds.
 *
 * @param seed unsigned 32-bit key
 * @param high upper counter word (what the numbers are for: tensor, step, slot)
 * @param low lower counter word (index)
 * @returns two independent unsigned 32-bit words, written to `out[0]` and `out[1]`
 */
export function philox(seed: number, high: number, low: number, out: Uint32Array): void {
  let key = seed >>> 0;
  let left = low >>> 0;
  let right = high >>> 0;
  for (let round = 0; round < 10; round++) {
    const productHigh = multiplyHigh(MULTIPLIER, left);
    const productLow = Math.imul(MULTIPLIER, left) >>> 0;
    left = (productHigh ^ key ^ right) >>> 0;
    right = productLow;
    key = (key + WEYL) >>> 0;
  }
  out[0] = left;
  out[1] = right;
}

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000)) >>> 0;
}

/** Sequential view of {@link philox} for code that wants a stream (simulator, sampling). */
export class Rng {
  readonly seed: number;
  readonly #stream: number;
  readonly #words = new Uint32Array(2);
  #counter = 0;

  constructor(seed: number, stream = 0) {
    this.seed = seed >>> 0;
    this.#stream = stream >>> 0;
  }

  /** Next unsigned 32-bit integer. */
  nextUint32(): number {
    if ((this.#counter & 1) === 0) philox(this.seed, this.#stream, this.#counter >>> 1, this.#words);
    return this.#words[this.#counter++ & 1] ?? 0;
  }

  /** Uniform in [0, 1) with 32 random bits. */
  next(): number {
    return this.nextUint32() / 0x1_0000_0000;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** Exponentially distributed with the given mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}
