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
 * Copies the flat parameters to the device.
 *
 * @param withTransposes whether matrices are also kept transposed for the forward pass
 */
export function uploadWeights(
  config: LlamaConfig,
  layout: ParameterLayout,
  params: Float32Array,
  withTransposes: boolean,
): DeviceWeights {
  const uploaded = new Map(layout.tensors.map((tensor) => [tensor.name, upload(tensor, params)]));
  const transposes: Tensor[] = [];
  const find = <Kind extends Tensor>(name: string): Kind => present(uploaded.get(name), name) as Kind;
  const linearWeight = (name: string): LinearWeight => {
    const matrix = find<Tensor2D>(name);
    if (!withTransposes) return { matrix, transposed: null };
    const transposed = transpose(matrix);
    transposes.push(transposed);
    return { matrix, transposed };
  };
  const blocks = Array.from({ length: config.layers }, (_, layer) =>
    blockWeights((name) => `model.layers.${layer}.${name}.weight`, find, linearWeight),
  );
  return {
    decoderTensors: [...uploaded.values()].slice(1, config.tieEmbeddings ? undefined : -1),
    embedding: find('model.embed_tokens.weight'),
    head: linearWeight(config.tieEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'),
    decoder: { blocks, norm: find('model.norm.weight') },
    dispose: () => [...uploaded.values(), ...transposes].forEach((tensor) => tensor.dispose()),
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

/** A copy, never a view: some backends keep the array they are given, and the master weights change under them. */
function upload({ offset, size, shape }: TensorLayout, params: Float32Array): Tensor {
  const values = params.slice(offset, offset + size);
  return shape.length === 1 ? tensor1d(values) : tensor2d(values, shape as [number, number]);
}
