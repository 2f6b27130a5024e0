// The Llama between embedding and head: pre-norm blocks of attention and SwiGLU (Touvron et al., 2023). Written
// forwards only; tfjs differentiates it.
import { add } from '@tensorflow/tfjs-core';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { attention } from './attention.js';
import type { AttentionContext } from './attention.js';
import { linear } from './linear.js';
import type { LinearWeight } from './linear.js';
import { rmsNorm } from './rms-norm.js';
import { swiglu } from './swiglu.js';

export interface BlockWeights {
  readonly inputNorm: Tensor1D;
  readonly query: LinearWeight;
  readonly key: LinearWeight;
  readonly value: LinearWeight;
  readonly output: LinearWeight;
  readonly postAttentionNorm: Tensor1D;
  readonly gate: LinearWeight;
  readonly up: LinearWeight;
  readonly down: LinearWeight;
}

export interface DecoderWeights {
  readonly blocks: readonly BlockWeights[];
  readonly norm: Tensor1D;
}

/**
 * @param x embedded tokens, [sequences * positions, hiddenSize]
 * @returns the normalised hidden states that the head takes, same shape
 */
export function decode(context: AttentionContext, weights: DecoderWeights, x: Tensor2D): Tensor2D {
  const last = weights.blocks.reduce((residual, block) => decodeBlock(context, block, residual), x);
  return rmsNorm(last, weights.norm, context.config.rmsNormEps);
}

function decodeBlock(context: AttentionContext, weights: BlockWeights, x: Tensor2D): Tensor2D {
  const { config, products } = context;
  const normed = rmsNorm(x, weights.inputNorm, config.rmsNormEps);
  const mixed = attention(context, {
    queries: linear(products, normed, weights.query),
    keys: linear(products, normed, weights.key),
    values: linear(products, normed, weights.value),
  });
  const attended: Tensor2D = add(x, linear(products, mixed, weights.output));
  return add(attended, feedForward(context, weights, attended));
}

/** down(silu(gate(x)) * up(x)) of the normalised x. */
function feedForward({ config, products }: AttentionContext, weights: BlockWeights, x: Tensor2D): Tensor2D {
  const normed = rmsNorm(x, weights.postAttentionNorm, config.rmsNormEps);
  const gate = linear(products, normed, weights.gate);
  const up = linear(products, normed, weights.up);
  return linear(products, swiglu(gate, up), weights.down);
}
