// What TensorFlow computes on this machine, as one short hash. oneDNN picks its kernels by processor and may cut a sum
// by the number of threads, so its version alone does not say which bits come out. The hash does, for the products and
// sums that training consists of: it stands in the fingerprint, and whoever computes other bits has another one.
import { createHash } from 'node:crypto';
import {
  add,
  exp,
  matMul,
  mul,
  rsqrt,
  sigmoid,
  softmax,
  sub,
  sum,
  tensor,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';

/** [m, k, n]: square; the head's three; few outputs of a very long sum, which threads would share; nothing divides. */
const PRODUCTS = [
  [256, 256, 256],
  [96, 64, 5000],
  [96, 5000, 64],
  [64, 4096, 48],
  [67, 131, 253],
] as const;

/** @returns 12 hex digits */
export function selfTest(): string {
  const hash = createHash('sha256');
  const take = (result: Tensor): void => {
    const values = result.dataSync<'float32'>();
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  tidy(() => {
    for (const [m, k, n] of PRODUCTS) {
      const [a, b] = [values([m, k]), values([k, n])] as [Tensor2D, Tensor2D];
      take(matMul(a, b));
      take(matMul(a, transpose(b), false, true));
      take(matMul(transpose(a), b, true, false));
    }
    const batch = values([6, 130, 40]);
    take(matMul(batch, values([6, 70, 40]), false, true));
    const rows = mul(values([48, 3001]), 8);
    take(softmax(rows as Tensor2D));
    take(sum(mul(rows, rows), -1, true));
    take(sum(rows, 0));
    take(add(sigmoid(rows), sub(exp(rows), rsqrt(add(mul(rows, rows), 1)))));
  });
  return hash.digest('hex').slice(0, 12);
}

/** Numbers in [-1, 1) with all their 24 bits in use, the same everywhere. */
function values(shape: number[]): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  let state = size;
  const numbers = Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Numerical Recipes' generator
    return (state >>> 8) / 2 ** 23 - 1;
  });
  return tensor(numbers, shape);
}
