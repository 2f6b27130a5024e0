import { add, mean, mul, rsqrt, square } from '@tensorflow/tfjs-core';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';

/**
 * Root mean square normalisation (Zhang & Sennrich, 2019): x / sqrt(mean(x^2) + eps) * weight, row by row, in f32.
 *
 * @param x [rows, width]
 * @param weight [width]
 */
export function rmsNorm(x: Tensor2D, weight: Tensor1D, eps: number): Tensor2D {
  const inverseRms = rsqrt(add(mean(square(x), -1, true), eps));
  return mul(mul(x, inverseRms), weight);
}
