// The gate of the feed-forward layer (Shazeer, 2020) as one operation with its own gradient: automatic differentiation
// would pass over these, the widest tensors between the products, half as often again.
import { add, customGrad, mul, sigmoid, sub } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';

type GradientSaver = (tensors: Tensor[]) => void;

/**
 * silu(gate) * up, differentiable in both; with s = sigmoid(g) and a = g s:
 *   dup = dy a        dgate = dy up (s + a (1 - s)) = dy up (s + a - a s)
 *
 * @param gate [rows, width]
 * @param up [rows, width]
 */
export function swiglu(gate: Tensor2D, up: Tensor2D): Tensor2D {
  const operation = customGrad<Tensor2D>((...args) => {
    const [g, u, save] = args as unknown as [Tensor2D, Tensor2D, GradientSaver];
    const s = sigmoid(g);
    const a: Tensor2D = mul(g, s);
    save([u, s, a]);
    return {
      value: mul(a, u),
      gradFunc: (dy, saved) => {
        const [savedUp, savedSigmoid, activated] = saved as [Tensor2D, Tensor2D, Tensor2D];
        const slope = add(savedSigmoid, sub(activated, mul(activated, savedSigmoid)));
        return [mul(mul(dy, savedUp), slope), mul(dy, activated)];
      },
    };
  });
  return operation(gate, up);
}
