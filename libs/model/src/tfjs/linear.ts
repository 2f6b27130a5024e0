import { customGrad, matMul } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { MatrixProducts } from './matrix-products.js';

type GradientSaver = (tensors: Tensor[]) => void;

/** A weight as it lies on the device. */
export interface LinearWeight {
  /** [out, in], as Hugging Face stores it; what is differentiated by. */
  readonly matrix: Tensor2D;
  /** [in, out], made once per update where the backend needs it; else null. */
  readonly transposed: Tensor2D | null;
}

/**
 * x W^T, differentiable in x and W.
 *
 * @param x [rows, in]
 * @returns [rows, out]
 */
export function linear(products: MatrixProducts, x: Tensor2D, weight: LinearWeight): Tensor2D {
  const operation = customGrad<Tensor2D>((...args) => {
    const [input, matrix, save] = args as unknown as [Tensor2D, Tensor2D, GradientSaver];
    save([input, matrix]);
    return {
      value: timesWeight(products, input, weight),
      gradFunc: (dy, saved) => {
        const [savedInput, savedMatrix] = saved as [Tensor2D, Tensor2D];
        return [matMul(dy, savedMatrix), products.transposedTimes(dy, savedInput)];
      },
    };
  });
  return operation(x, weight.matrix);
}

/** x W^T, without a gradient. */
export function timesWeight(products: MatrixProducts, x: Tensor2D, weight: LinearWeight): Tensor2D {
  return weight.transposed === null
    ? products.timesTransposed(x, weight.matrix)
    : matMul(x, weight.transposed);
}
