import { tensor1d, tensor2d, transpose } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { present } from '@cria/runtime';
import type { LlamaConfig } from '../config/llama-config.js';
import type { ParameterLayout, TensorLayout } from '../config/parameter-layout.js';
import type { BlockWeights, DecoderWeights } from './decoder.js';
import type { LinearWeight } from './linear.js';

/** All weights on the device, and how they are used. */
export interface DeviceWeights {
  /** One per tensor of the layout between embedding and head, in its order: what gradients are taken by. */
  readonly decoderTensors: readonly Tensor[];
  readonly embedding: Tensor2D;
  /** The embedding itself when tied. */
  readonly head: LinearWeight;
  readonly decoder: DecoderWeights;
  dispose(): void;
}

/**
 * Puts the flat parameters on the device.
 *
 * @param params stays as it is until the weights are disposed: some devices compute on it where it lies
 * @param transposes which matrices are also kept transposed for the forward pass: the head's, because TensorFlow would
 *   do it anew for each chunk of logits, or all
 */
export function uploadWeights(
  config: LlamaConfig,
  layout: ParameterLayout,
  params: Float32Array,
  transposes: 'head' | 'all',
): DeviceWeights {
  const uploaded = new Map(layout.tensors.map((tensor) => [tensor.name, upload(tensor, params)]));
  const transposed: Tensor[] = [];
  const find = <Kind extends Tensor>(name: string): Kind => present(uploaded.get(name), name) as Kind;
  const withTranspose = (name: string): LinearWeight => {
    const matrix = find<Tensor2D>(name);
    transposed.push(transpose(matrix));
    return { matrix, transposed: transposed.at(-1) as Tensor2D };
  };
  const linearWeight =
    transposes === 'all'
      ? withTranspose
      : (name: string) => ({ matrix: find<Tensor2D>(name), transposed: null });
  const blocks = Array.from({ length: config.layers }, (_, layer) =>
    blockWeights((name) => `model.layers.${layer}.${name}.weight`, find, linearWeight),
  );
  return {
    decoderTensors: [...uploaded.values()].slice(1, config.tieEmbeddings ? undefined : -1),
    embedding: find('model.embed_tokens.weight'),
    head: withTranspose(config.tieEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'),
    decoder: { blocks, norm: find('model.norm.weight') },
    dispose: () => [...uploaded.values(), ...transposed].forEach((tensor) => tensor.dispose()),
  };
}

function blockWeights(
  fullName: (name: string) => string,
  find: (name: string) => Tensor1D,
  linearWeight: (name: string) => LinearWeight,
): BlockWeights {
  return {
    inputNorm: find(fullName('input_layernorm')),
    query: linearWeight(fullName('self_attn.q_proj')),
    key: linearWeight(fullName('self_attn.k_proj')),
    value: linearWeight(fullName('self_attn.v_proj')),
    output: linearWeight(fullName('self_attn.o_proj')),
    postAttentionNorm: find(fullName('post_attention_layernorm')),
    gate: linearWeight(fullName('mlp.gate_proj')),
    up: linearWeight(fullName('mlp.up_proj')),
    down: linearWeight(fullName('mlp.down_proj')),
  };
}

function upload({ offset, size, shape }: TensorLayout, params: Float32Array): Tensor {
  const values = params.subarray(offset, offset + size);
  return shape.length === 1 ? tensor1d(values) : tensor2d(values, shape as [number, number]);
}
