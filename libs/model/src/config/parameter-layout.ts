// All parameters of a model lie in one flat f32 array, and so do its gradient and the optimizer's moments. Each tensor
// starts at a multiple of 256 elements, so that a block of 256 (the unit of packing, digests and exchange) never
// holds two tensors. The padding behind a tensor is 0 and stays 0: its gradient is 0 and so is its update.
//
// The order is that of the forward pass, embedding first. A backward pass finishes from the end of the array to its
// start; with tied embeddings the embedding, which also serves as the head, is final only at the very end.
import { headSize } from './llama-config.js';
import type { LlamaConfig } from './llama-config.js';

/** Elements per block. Equal to BLOCK_SIZE of @cria/kernels, which this entry must not load (tested). */
export const LAYOUT_BLOCK = 256;

export interface TensorLayout {
  /** Hugging Face name of `LlamaForCausalLM`. */
  readonly name: string;
  /** Linear weights are [out, in], row-major. */
  readonly shape: readonly number[];
  /** First element in the flat array, a multiple of 256. */
  readonly offset: number;
  /** Elements, without padding. */
  readonly size: number;
  /** Whether weight decay applies: matrices (embeddings included) yes, norm weights no. */
  readonly decay: boolean;
}

export interface ParameterLayout {
  /** By ascending offset. */
  readonly tensors: readonly TensorLayout[];
  /** Length of the flat array. */
  readonly paddedSize: number;
  /** Number of parameters. */
  readonly numel: number;
}

/** Where each tensor of the model lies. A pure function of the configuration. */
export function parameterLayout(config: LlamaConfig): ParameterLayout {
  const tensors: TensorLayout[] = [];
  let offset = 0;
  let numel = 0;
  for (const [name, shape] of tensorShapes(config)) {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    tensors.push({ name, shape, offset, size, decay: shape.length > 1 });
    offset += paddedLength(size);
    numel += size;
  }
  return { tensors, paddedSize: offset, numel };
}

/** The next multiple of 256: how many elements a tensor of `size` elements takes in the flat array. */
export function paddedLength(size: number): number {
  return Math.ceil(size / LAYOUT_BLOCK) * LAYOUT_BLOCK;
}

function tensorShapes(config: LlamaConfig): Array<[name: string, shape: number[]]> {
  const { hiddenSize, vocabSize, layers } = config;
  const shapes: Array<[string, number[]]> = [['model.embed_tokens.weight', [vocabSize, hiddenSize]]];
  for (let layer = 0; layer < layers; layer++) {
    for (const [name, shape] of blockShapes(config)) shapes.push([`model.layers.${layer}.${name}`, shape]);
  }
  shapes.push(['model.norm.weight', [hiddenSize]]);
  if (!config.tieEmbeddings) shapes.push(['lm_head.weight', [vocabSize, hiddenSize]]);
  return shapes;
}

function blockShapes(config: LlamaConfig): Array<[name: string, shape: number[]]> {
  const { hiddenSize, intermediateSize } = config;
  const kvSize = config.kvHeads * headSize(config);
  return [
    ['input_layernorm.weight', [hiddenSize]],
    ['self_attn.q_proj.weight', [hiddenSize, hiddenSize]],
    ['self_attn.k_proj.weight', [kvSize, hiddenSize]],
    ['self_attn.v_proj.weight', [kvSize, hiddenSize]],
    ['self_attn.o_proj.weight', [hiddenSize, hiddenSize]],
    ['post_attention_layernorm.weight', [hiddenSize]],
    ['mlp.gate_proj.weight', [intermediateSize, hiddenSize]],
    ['mlp.up_proj.weight', [intermediateSize, hiddenSize]],
    ['mlp.down_proj.weight', [hiddenSize, intermediateSize]],
  ];
}
