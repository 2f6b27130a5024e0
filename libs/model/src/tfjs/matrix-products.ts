// Matrix products in the three layouts that a linear layer and its gradients need. The wasm backend has one fast case
// (XNNPACK: two plain matrices, no transpose); everything else falls into a loop that is 14 times slower. So there
// transposes are made explicitly and batches are taken apart. Other backends do both inside the product.
import { concat, customGrad, matMul, reshape, transpose, unstack } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';

type GradientSaver = (tensors: Tensor[]) => void;

export interface MatrixProducts {
  /** a b^T: [m, k] by [n, k] to [m, n] */
  timesTransposed(a: Tensor2D, b: Tensor2D): Tensor2D;
  /** a^T b: [k, m] by [k, n] to [m, n] */
  transposedTimes(a: Tensor2D, b: Tensor2D): Tensor2D;
  /** Product of each pair, differentiable: [s, m, k] by [s, k, n] to [s, m, n] */
  batchTimes(a: Tensor3D, b: Tensor3D): Tensor3D;
  /** As {@link batchTimes} with each b transposed: [s, m, k] by [s, n, k] to [s, m, n] */
  batchTimesTransposed(a: Tensor3D, b: Tensor3D): Tensor3D;
  /** As {@link batchTimes} with each a transposed, without a gradient: [s, k, m] by [s, k, n] to [s, m, n] */
  batchTransposedTimes(a: Tensor3D, b: Tensor3D): Tensor3D;
}

/** Where the backend's matMul takes transposes and batches at full speed. */
export const generalProducts: MatrixProducts = {
  timesTransposed: (a, b) => matMul(a, b, false, true),
  transposedTimes: (a, b) => matMul(a, b, true, false),
  batchTimes: (a, b) => matMul(a, b),
  batchTimesTransposed: (a, b) => matMul(a, b, false, true),
  batchTransposedTimes: (a, b) => matMul(a, b, true, false),
};

/** Where only the plain product of two matrices is fast. */
export const plainProducts: MatrixProducts = {
  timesTransposed: (a, b) => matMul(a, transpose(b)),
  transposedTimes: (a, b) => {
    // a^T b = (b^T a)^T: whichever transposes fewer elements. For the head's gradient (a: 50304 columns) this is the
    // second form by far.
    const [rows, m, n] = [a.shape[0], a.shape[1], b.shape[1]];
    if (rows * m <= rows * n + m * n) return matMul(transpose(a), b);
    return transpose(matMul(transpose(b), a) as Tensor2D);
  },
  batchTimes: differentiable(
    (a, b) => eachPair(a, b),
    (dc, a, b) => [eachPair(dc, swapped(b)), eachPair(swapped(a), dc)],
  ),
  batchTimesTransposed: differentiable(
    (a, b) => eachPair(a, swapped(b)),
    (dc, a, b) => [eachPair(dc, b), eachPair(swapped(dc), a)],
  ),
  batchTransposedTimes: (a, b) => eachPair(swapped(a), b),
};

function differentiable(
  product: (a: Tensor3D, b: Tensor3D) => Tensor3D,
  gradients: (dc: Tensor3D, a: Tensor3D, b: Tensor3D) => [da: Tensor3D, db: Tensor3D],
): (a: Tensor3D, b: Tensor3D) => Tensor3D {
  const operation = customGrad<Tensor3D>((...args) => {
    const [a, b, save] = args as unknown as [Tensor3D, Tensor3D, GradientSaver];
    save([a, b]);
    return {
      value: product(a, b),
      gradFunc: (dc, saved) => gradients(dc, saved[0] as Tensor3D, saved[1] as Tensor3D),
    };
  });
  return (a, b) => operation(a, b);
}

function eachPair(a: Tensor3D, b: Tensor3D): Tensor3D {
  const rights = unstack(b) as Tensor2D[];
  const products = unstack(a).map((left, index) => matMul(left, rights[index]));
  return reshape(concat(products, 0), [a.shape[0], a.shape[1], b.shape[2]]);
}

function swapped(a: Tensor3D): Tensor3D {
  return transpose(a, [0, 2, 1]);
}
