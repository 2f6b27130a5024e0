// The weights as the kernels read them: matrices in the precision's dtype, norms in f32. The engine's own copy, because
// the worker's master weights change between calls.
import { F32 } from '@cria/kernels/native';
import type { Dtype, NativeContext } from '@cria/kernels/native';
import type { LlamaConfig } from '../config/llama-config.js';
import type { ParameterLayout, TensorLayout } from '../config/parameter-layout.js';
import { Arena } from './arena.js';
import { elementCount, TensorPlanner } from './tensor.js';
import type { Tensor } from './tensor.js';

/** One decoder block; C width, F feed-forward width, N = heads * headSize, K = kvHeads * headSize. */
export interface BlockWeights {
  readonly inputNorm_C: Tensor;
  readonly query_NC: Tensor;
  readonly key_KC: Tensor;
  readonly value_KC: Tensor;
  readonly output_CN: Tensor;
  readonly postAttentionNorm_C: Tensor;
  readonly gate_FC: Tensor;
  readonly up_FC: Tensor;
  readonly down_CF: Tensor;
}

export interface ModelWeights {
  readonly embedding_VC: Tensor;
  readonly blocks: readonly BlockWeights[];
  readonly norm_C: Tensor;
  /** The embedding when tied. */
  readonly head_VC: Tensor;
}

/** Tensors of a block in the layout's order. */
export const TENSORS_PER_BLOCK = 9;

/** The layout's tensors under the names that the layers use. */
export function nameTensors(config: LlamaConfig, tensors: readonly Tensor[]): ModelWeights {
  const blocks = Array.from({ length: config.layers }, (_, layer) => {
    const first = 1 + layer * TENSORS_PER_BLOCK;
    return nameBlockTensors(tensors.slice(first, first + TENSORS_PER_BLOCK));
  });
  const norm_C = tensors[1 + config.layers * TENSORS_PER_BLOCK];
  const embedding_VC = tensors[0];
  return {
    embedding_VC,
    blocks,
    norm_C,
    head_VC: config.tieEmbeddings ? embedding_VC : tensors[tensors.length - 1],
  };
}

export function nameBlockTensors(tensors: readonly Tensor[]): BlockWeights {
  const [inputNorm_C, query_NC, key_KC, value_KC, output_CN, postAttentionNorm_C, gate_FC, up_FC, down_CF] =
    tensors;
  return { inputNorm_C, query_NC, key_KC, value_KC, output_CN, postAttentionNorm_C, gate_FC, up_FC, down_CF };
}

/** Device memory for all weights. */
export class WeightStore {
  readonly weights: ModelWeights;
  readonly #context: NativeContext;
  readonly #layout: ParameterLayout;
  readonly #tensors: readonly Tensor[];

  /** @throws OUT_OF_MEMORY */
  constructor(context: NativeContext, config: LlamaConfig, layout: ParameterLayout, operands: Dtype) {
    const { tensors } = new Arena(context, 'the weights').place((base) => {
      const planner = new TensorPlanner(base);
      const tensors = layout.tensors.map((tensor) => placeOf(planner, tensor, operands));
      return { tensors, sizeBytes: planner.sizeBytes };
    });
    this.#context = context;
    this.#layout = layout;
    this.#tensors = tensors;
    this.weights = nameTensors(config, this.#tensors);
  }

  /** Copies and, for bf16, rounds the flat padded array. */
  load(params: Float32Array): void {
    const source = this.#context.attach(params);
    this.#layout.tensors.forEach(({ offset, size }, index) => {
      const target = this.#tensors[index];
      if (target.dtype === F32) this.#context.write(target.address, params.subarray(offset, offset + size));
      else this.#context.f32ToBf16(target.address, source + 4 * offset, elementCount(target));
    });
    this.#context.release(source);
  }
}

function placeOf(planner: TensorPlanner, { shape }: TensorLayout, operands: Dtype): Tensor {
  return planner.tensor(shape.length === 1 ? F32 : operands, ...shape);
}
