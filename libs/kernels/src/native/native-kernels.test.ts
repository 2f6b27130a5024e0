// The exact sum and the optimizer by the addon: the suite that every implementation passes, then bit equality with the
// reference on more data than that suite takes, for several thread counts.
import { createHash } from 'node:crypto';
import { Rng } from '@cria/runtime';
import { expect, it } from 'vitest';
import type { Accumulator } from '../accumulator.js';
import { createAccumulator } from '../accumulator.js';
import { kernelsSuite } from '../conformance/kernels-suite.js';
import { meanScale } from '../grid.js';
import type { Kernels } from '../kernels.js';
import { referenceKernels } from '../reference/reference-kernels.js';
import { createNativeKernels } from './native-kernels.js';
import { describeInstructionSets } from './native-suite.js';

const LENGTH = 256 * 1500;
const THREADS = [1, 2, 3, 8];

/** Rows of very different size, some zero, some too large for int32. */
function gradientOf(seed: number): Float32Array {
  const rng = new Rng(seed);
  const gradient = new Float32Array(LENGTH - 56);
  for (let row = 0; row < gradient.length; row += 128) {
    const scale = rng.below(3) === 0 ? 0 : 2 ** -rng.below(30);
    for (let i = row; i < Math.min(row + 128, gradient.length); i++) gradient[i] = (rng.next() - 0.5) * scale;
  }
  return gradient;
}

/** By hash: comparing millions of elements one by one takes a minute. */
const hash = (array: NodeJS.TypedArray): string =>
  createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');

/** Three slots through everything that a step does with them. */
function sumSlots(kernels: Kernels): Record<string, string | bigint> {
  const acc: Accumulator = createAccumulator(LENGTH, true);
  const digests = new BigUint64Array(2);
  for (const seed of [1, 2, 3]) kernels.accumulateGradient(acc, 0, gradientOf(seed), 32, digests);
  const packed = kernels.packPart(acc, 0, LENGTH);
  const added = kernels.unpackAdd(acc, 0, LENGTH, packed);
  const mean = new Float32Array(LENGTH);
  kernels.unpackMean(packed, meanScale(32, 3), mean);
  const squares = new Float64Array(Math.ceil(LENGTH / 4096));
  kernels.squareSum(mean, squares);
  return { packed: hash(packed), digests: digests.join(), mean: hash(mean), added, squares: hash(squares) };
}

function afterAdamw(kernels: Kernels): string[] {
  const rng = new Rng(7);
  const random = (scale: number): Float32Array =>
    new Float32Array(10_000).map(() => (rng.next() - 0.5) * scale);
  // Second moments around the smallest normal number: denormals are kept.
  const state = { params: random(0.1), expAvg: random(1e-3), expAvgSq: random(1e-37).map(Math.abs) };
  const scalars = {
    ...{ beta1: Math.fround(0.9), beta2: Math.fround(0.95), oneMinusBeta1: Math.fround(0.1), clip: 0.75 },
    ...{ oneMinusBeta2: Math.fround(0.05), eps: Math.fround(1e-8), weightDecayFactor: Math.fround(0.9999) },
    ...{ stepSize: Math.fround(1e-3), inverseSqrtBiasCorrection2: Math.fround(1.7) },
  };
  kernels.adamwUpdate(state, random(1e-18).subarray(0, 9_000), 1_000, 10_000, true, scalars);
  return [state.params, state.expAvg, state.expAvgSq].map(hash);
}

let expected: ReturnType<typeof sumSlots> | null = null;

describeInstructionSets('the native kernels', (instructionSet) => {
  kernelsSuite(createNativeKernels({ threads: 2, instructionSet }));

  it('give the bits of the reference on large arrays, for any number of threads', () => {
    expected ??= sumSlots(referenceKernels);
    for (const threads of THREADS) {
      expect(sumSlots(createNativeKernels({ threads, instructionSet })), `${threads} threads`).toEqual(
        expected,
      );
    }
  });

  it('give the bits of the reference for AdamW', () => {
    const expected = afterAdamw(referenceKernels);
    for (const threads of THREADS) {
      expect(afterAdamw(createNativeKernels({ threads, instructionSet }))).toEqual(expected);
    }
  });

  it('convert every kind of float to bf16 as the reference does', () => {
    const rng = new Rng(3);
    const values = new Float32Array(Uint32Array.from({ length: 100_001 }, () => rng.nextUint32()).buffer);
    const [ours, expected] = [new Uint16Array(values.length), new Uint16Array(values.length)];
    createNativeKernels({ threads: 2, instructionSet }).f32ToBf16(values, ours);
    referenceKernels.f32ToBf16(values, expected);
    expect(hash(ours)).toBe(hash(expected));
  });
});
