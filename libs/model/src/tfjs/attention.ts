// Causal grouped-query attention. The query heads that share a key/value head are consecutive (Hugging Face's
// repeat_interleave), so their rows are stacked into one matrix: keys and values are never repeated, and their
// gradient sums over the group by itself.
//
// B sequences, T positions, H query heads, K key/value heads, G = H / K, D head size.
import { add, customGrad, mul, reshape, softmax, sub, sum, transpose } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import type { MatrixProducts } from './matrix-products.js';
import { rotary } from './rotary.js';
import type { RotaryTensors } from './rotary.js';

type GradientSaver = (tensors: Tensor[]) => void;

/** Added to a score that must not be seen. Finite, so that no backend meets infinity minus infinity. */
const HIDDEN_SCORE = -1e30;

/** What attention needs to know about the batch. */
export interface AttentionContext {
  readonly config: LlamaConfig;
  readonly products: MatrixProducts;
  readonly sequences: number;
  readonly positions: number;
  readonly rotary: RotaryTensors;
  /** [G * T, T]: see {@link causalMask} */
  readonly mask: Tensor2D;
}

/** Projections of the normalised residual stream. */
export interface AttentionInputs {
  /** [B * T, H * D] */
  readonly queries: Tensor2D;
  /** [B * T, K * D] */
  readonly keys: Tensor2D;
  /** [B * T, K * D] */
  readonly values: Tensor2D;
}

/** @returns [B * T, H * D], what the output projection takes */
export function attention(context: AttentionContext, inputs: AttentionInputs): Tensor2D {
  const { config, products, sequences, positions } = context;
  const { heads, kvHeads } = config;
  const size = headSize(config);
  const groupRows = (heads / kvHeads) * positions;
  const byHead = (x: Tensor2D, count: number): Tensor4D => reshape(x, [sequences, positions, count, size]);
  const stack = (x_BTHD: Tensor4D, rows: number): Tensor3D =>
    reshape(transpose(x_BTHD, [0, 2, 1, 3]), [sequences * kvHeads, rows, size]);

  const q = stack(mul(rotary(byHead(inputs.queries, heads), context.rotary), 1 / Math.sqrt(size)), groupRows);
  const k = stack(rotary(byHead(inputs.keys, kvHeads), context.rotary), positions);
  const v = stack(byHead(inputs.values, kvHeads), positions);

  const scores: Tensor3D = add(products.batchTimesTransposed(q, k), context.mask);
  const mixed = softmaxTimes(products, scores, v);
  const mixed_BTHD = transpose(reshape(mixed, [sequences, heads, positions, size]), [0, 2, 1, 3]);
  return reshape(mixed_BTHD, [sequences * positions, heads * size]);
}

/**
 * softmax(scores) v as one operation. Its gradient needs of each row only the sum of dP P, and that is the sum of dO O
 * (Dao et al., 2022), which is as long as a head is wide instead of as the sequence is long:
 *   dV = P^T dO        dS = P (dO V^T - rowsum(dO O))
 *
 * @param scores [S, rows, T]
 * @param values [S, T, D]
 * @returns O, [S, rows, D]
 */
function softmaxTimes(products: MatrixProducts, scores: Tensor3D, values: Tensor3D): Tensor3D {
  const operation = customGrad<Tensor3D>((...args) => {
    const [s, v, save] = args as unknown as [Tensor3D, Tensor3D, GradientSaver];
    const probabilities = softmax(s);
    const mixed = products.batchTimes(probabilities, v);
    save([probabilities, v, mixed]);
    return {
      value: mixed,
      gradFunc: (dMixed, saved) => {
        const [p, savedValues, o] = saved as [Tensor3D, Tensor3D, Tensor3D];
        const dProbabilities = products.batchTimesTransposed(dMixed, savedValues);
        const rowSums = sum(mul(dMixed, o), -1, true);
        return [mul(p, sub(dProbabilities, rowSums)), products.batchTransposedTimes(p, dMixed)];
      },
    };
  });
  return operation(scores, values);
}

/** [G * T, T]: 0 where a position may look, a huge negative number at what comes after it. */
export function causalMask(config: LlamaConfig, positions: number): Float32Array {
  const groupSize = config.heads / config.kvHeads;
  const mask = new Float32Array(groupSize * positions * positions);
  for (let row = 0; row < groupSize * positions; row++) {
    mask.fill(HIDDEN_SCORE, row * positions + (row % positions) + 1, (row + 1) * positions);
  }
  return mask;
}
