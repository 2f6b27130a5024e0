// The TypeScript reference: always there, and what "the same bits" means.
import type { Kernels } from '../kernels.js';
import { accumulateGradient, accumulatorDigest } from './accumulate.js';
import { adamwUpdate } from './adamw.js';
import { bf16ToF32, f32ToBf16 } from './bf16.js';
import { crc32c } from './crc32c.js';
import { digestWords } from './digest.js';
import { packPart } from './pack.js';
import { squareSum } from './square-sum.js';
import { packedDigest, unpackAdd, unpackMean } from './unpack.js';

export const referenceKernels: Kernels = {
  name: 'reference',
  accumulateGradient,
  accumulatorDigest,
  digestWords,
  packPart,
  unpackAdd,
  packedDigest,
  unpackMean,
  squareSum,
  adamwUpdate,
  crc32c,
  f32ToBf16,
  bf16ToF32,
};
