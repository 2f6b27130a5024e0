// What every implementation offers: the TypeScript reference (always there) and the native addon. Both give the same
// bits for every argument; the reference says what those bits are.
import type { Accumulator } from './accumulator.js';

/** The trained state: one flat Float32Array each, of the same length. */
export interface OptimizerState {
  readonly params: Float32Array;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
}

/** Factors of one AdamW step, each already rounded to f32. With lr, betas, eps, decay wd and t = step + 1: */
export interface AdamwScalars {
  readonly beta1: number;
  readonly beta2: number;
  /** 1 - beta1 */
  readonly oneMinusBeta1: number;
  /** 1 - beta2 */
  readonly oneMinusBeta2: number;
  readonly eps: number;
  /** 1 - lr * wd */
  readonly weightDecayFactor: number;
  /** lr / (1 - beta1^t) */
  readonly stepSize: number;
  /** 1 / sqrt(1 - beta2^t) */
  readonly inverseSqrtBiasCorrection2: number;
  /** min(1, gradClip / (norm + 1e-6)), multiplied into the gradient */
  readonly clip: number;
}

/**
 * The elementwise mathematics around a step. All indices are flat indices of the parameter layout; ranges begin and
 * end at multiples of 256. Arrays may be views over SharedArrayBuffers; nothing is copied.
 */
export interface Kernels {
  readonly name: 'reference' | 'native';

  /**
   * Rounds a slot's gradient onto the grid 2^-gridBits (nearest even) and adds it. A value with |x| >= 512 or NaN
   * adds 0 and flags the slot.
   *
   * @param offset flat index of gradient[0], a multiple of 256; a length that is not counts as padded with zeros
   * @param digests per part of the flat array: the linear digest L of the rounded gradient is added, mod 2^64
   * @returns whether the slot is flagged
   */
  accumulateGradient(
    acc: Accumulator,
    offset: number,
    gradient: Float32Array,
    gridBits: number,
    digests: BigUint64Array,
  ): boolean;

  /** L of the values of [from, to): see reference/digest.ts. */
  accumulatorDigest(acc: Accumulator, from: number, to: number): bigint;

  /**
   * L over raw words (bits of f32) whose first has the flat index `flatOffset`, a multiple of 256. The digest of a
   * whole array is the sum mod 2^64 of the digests of its pieces.
   */
  digestWords(words: Uint32Array, flatOffset: number): bigint;

  /**
   * The packed form of [from, to): a width byte per block, then the payload (reference/pack.ts has the format).
   *
   * @param room gives memory for so many bytes, 4-byte aligned (default: of its own)
   */
  packPart(acc: Accumulator, from: number, to: number, room?: (sizeBytes: number) => Uint8Array): Uint8Array;

  /**
   * Adds the packed values of [from, to).
   *
   * @returns L of what was added
   * @throws PEER_DAMAGED when the bytes are not a packed range of that length; nothing was added then
   */
  unpackAdd(acc: Accumulator, from: number, to: number, packed: Uint8Array): bigint;

  /** L of the packed values of [from, to). Throws PEER_DAMAGED as {@link unpackAdd} does. */
  packedDigest(packed: Uint8Array, from: number, to: number): bigint;

  /**
   * Writes (float)((double)q * scale) for every packed q to `out`, whose length is the range's.
   *
   * @param scale `meanScale(gridBits, slots)`
   * @throws PEER_DAMAGED as {@link unpackAdd} does
   */
  unpackMean(packed: Uint8Array, scale: number, out: Float32Array): void;

  /**
   * Sum of squares of every chunk of 4,096 values into chunks[i], in f64: sixteen lanes (value j in lane j % 16),
   * then the tree +8, +4, +2, +1. The last chunk may be shorter.
   */
  squareSum(values: Float32Array, chunks: Float64Array): void;

  /**
   * One AdamW step on state[from, to), every operation rounded to f32 by itself, denormals kept (no FTZ, no DAZ), no
   * FMA: see reference/adamw.ts for the order.
   *
   * @param gradient the mean gradient of [from, to): gradient[0] belongs to `from`
   * @param decay whether weight decay applies to this range
   */
  adamwUpdate(
    state: OptimizerState,
    gradient: Float32Array,
    from: number,
    to: number,
    decay: boolean,
    scalars: AdamwScalars,
  ): void;

  /** CRC-32C (Castagnoli) of `bytes`, going on from `crc` of what came before. */
  crc32c(bytes: Uint8Array, crc?: number): number;

  /** Nearest even, denormals to signed zero, NaN made quiet: what `vcvtneps2bf16` does. */
  f32ToBf16(values: Float32Array, out: Uint16Array): void;

  /** Exact. */
  bf16ToF32(words: Uint16Array, out: Float32Array): void;
}
