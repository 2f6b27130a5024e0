// `Kernels` by the native addon: the same bits as the TypeScript reference, at memory speed.
import { assert, CriaError } from '@cria/runtime';
import type { Accumulator } from '../accumulator.js';
import { BLOCK_SIZE, SQUARE_CHUNK_SIZE } from '../grid.js';
import type { AdamwScalars, Kernels, OptimizerState } from '../kernels.js';
import { requireAddon } from './addon.js';
import { selectInstructionSet } from './instruction-set.js';
import type { NativeContext } from './native-context.js';

export interface NativeKernelsOptions {
  /** The calling thread included. These passes are bound by memory: one or two are enough. */
  readonly threads: number;
  /** Left out: the best one here. */
  readonly instructionSet?: string;
}

/**
 * The exact sum, the optimizer and their like on threads of their own, for the thread that calls.
 *
 * @throws ENGINE_UNAVAILABLE when the addon is missing, CONFIG_INVALID for an instruction set that cannot be used
 */
export function createNativeKernels(options: NativeKernelsOptions): Kernels {
  const { NativeContext } = requireAddon();
  return new NativeKernels(new NativeContext(selectInstructionSet(options.instructionSet), options.threads));
}

class NativeKernels implements Kernels {
  readonly name = 'native';
  readonly #context: NativeContext;
  readonly #digest = new BigUint64Array(1);

  constructor(context: NativeContext) {
    this.#context = context;
  }

  accumulateGradient(
    acc: Accumulator,
    offset: number,
    gradient: Float32Array,
    gridBits: number,
    digests: BigUint64Array,
  ): boolean {
    const padded = Math.ceil(gradient.length / BLOCK_SIZE) * BLOCK_SIZE;
    const { small, wide, isWide, flatBlock } = blocksOf(acc, offset, offset + padded);
    return this.#context.accumulateGradient(
      ...[small, wide, isWide, digests, gradient, gradient.length, flatBlock, gridBits],
    );
  }

  accumulatorDigest(acc: Accumulator, from: number, to: number): bigint {
    const { small, wide, isWide, blocks, flatBlock } = blocksOf(acc, from, to);
    this.#context.accumulatorDigest(this.#digest, small, wide, isWide, blocks, flatBlock);
    return this.#digest[0];
  }

  digestWords(words: Uint32Array, flatOffset: number): bigint {
    assert(flatOffset % BLOCK_SIZE === 0, 'words are digested from the beginning of a block');
    this.#context.digestWords(this.#digest, words, words.length, flatOffset / BLOCK_SIZE);
    return this.#digest[0];
  }

  // Of memory that is not cleared first: every byte is written.
  packPart(acc: Accumulator, from: number, to: number, room = allocateUnclear): Uint8Array {
    const { small, wide, isWide, blocks } = blocksOf(acc, from, to);
    const widths = new Uint8Array(blocks);
    const payloadBytes = this.#context.packWidths(widths, small, wide, isWide, blocks);
    const packed = room(blocks + payloadBytes);
    packed.set(widths);
    this.#context.pack(packed, small, wide, isWide, blocks, payloadBytes);
    return packed;
  }

  unpackAdd(acc: Accumulator, from: number, to: number, packed: Uint8Array): bigint {
    const { small, wide, isWide, blocks, flatBlock } = blocksOf(acc, from, to);
    asPeerDamage(() => {
      this.#context.unpackAdd(small, wide, isWide, this.#digest, packed, blocks, flatBlock);
    });
    return this.#digest[0];
  }

  packedDigest(packed: Uint8Array, from: number, to: number): bigint {
    checkBlocks(from, to);
    asPeerDamage(() => {
      const blocks = (to - from) / BLOCK_SIZE;
      this.#context.packedDigest(this.#digest, packed, blocks, from / BLOCK_SIZE);
    });
    return this.#digest[0];
  }

  unpackMean(packed: Uint8Array, scale: number, out: Float32Array): void {
    checkBlocks(0, out.length);
    asPeerDamage(() => this.#context.unpackMean(out, packed, out.length / BLOCK_SIZE, scale));
  }

  squareSum(values: Float32Array, chunks: Float64Array): void {
    assert(chunks.length >= Math.ceil(values.length / SQUARE_CHUNK_SIZE), 'there is room for every chunk');
    this.#context.squareSum(chunks, values, values.length);
  }

  adamwUpdate(
    state: OptimizerState,
    gradient: Float32Array,
    from: number,
    to: number,
    decay: boolean,
    scalars: AdamwScalars,
  ): void {
    const count = to - from;
    const params = state.params.subarray(from, to);
    const expAvg = state.expAvg.subarray(from, to);
    const expAvgSq = state.expAvgSq.subarray(from, to);
    this.#context.adamwUpdate(params, expAvg, expAvgSq, gradient, count, decay, scalarArray(scalars));
  }

  /** A value of its own: frames take the function without the object. */
  readonly crc32c = (bytes: Uint8Array, crc = 0): number => this.#context.crc32c(bytes, crc);

  f32ToBf16(values: Float32Array, out: Uint16Array): void {
    this.#context.f32ToBf16(out, values, values.length);
  }

  bf16ToF32(words: Uint16Array, out: Float32Array): void {
    this.#context.bf16ToF32(out, words, words.length);
  }
}

interface Blocks {
  readonly small: Int32Array;
  readonly wide: Float64Array;
  readonly isWide: Uint8Array;
  readonly blocks: number;
  readonly flatBlock: number;
}

/** The accumulator's arrays of the flat range [from, to). */
function blocksOf(acc: Accumulator, from: number, to: number): Blocks {
  checkBlocks(from, to);
  const [begin, end] = [from - acc.base, to - acc.base];
  assert(begin >= 0 && end <= acc.small.length, 'the range lies inside the accumulator');
  return {
    small: acc.small.subarray(begin, end),
    wide: acc.wide.subarray(begin, end),
    isWide: acc.isWide.subarray(begin / BLOCK_SIZE, end / BLOCK_SIZE),
    blocks: (end - begin) / BLOCK_SIZE,
    flatBlock: from / BLOCK_SIZE,
  };
}

const allocateUnclear = (sizeBytes: number): Uint8Array => Buffer.allocUnsafeSlow(sizeBytes);

function checkBlocks(from: number, to: number): void {
  assert(from % BLOCK_SIZE === 0 && to % BLOCK_SIZE === 0 && from <= to, 'a range is whole blocks');
}

/** The order is that of `cria_adamw_scalars`. */
function scalarArray(s: AdamwScalars): Float32Array {
  const { beta1, beta2, oneMinusBeta1, oneMinusBeta2, eps } = s;
  const { weightDecayFactor, stepSize, inverseSqrtBiasCorrection2, clip } = s;
  return Float32Array.of(
    ...[beta1, beta2, oneMinusBeta1, oneMinusBeta2, eps],
    ...[weightDecayFactor, stepSize, inverseSqrtBiasCorrection2, clip],
  );
}

function asPeerDamage(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MALFORMED')) throw error;
    const message = 'a packed part is malformed: its table and its bytes do not fit together';
    throw new CriaError('PEER_DAMAGED', message, { cause: error });
  }
}
