// Every tensor of a forward and backward pass, planned once: what the passes keep for each other and what they share.
//
// Legend: M rows (tokens of the batch), C width, F feed-forward width, H query heads, K key/value heads, D head size.
import { F32 } from '@cria/kernels/native';
import type { Dtype } from '@cria/kernels/native';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import { TensorPlanner } from './tensor.js';
import type { Tensor } from './tensor.js';

/** What a block's forward pass leaves for its backward pass. Matrices that enter products have the operands' dtype. */
export interface BlockActivations {
  readonly inputNorm_MC: Tensor;
  readonly inputRstd_M: Tensor;
  readonly q_MHD: Tensor;
  readonly k_MKD: Tensor;
  readonly v_MKD: Tensor;
  readonly attended_MHD: Tensor;
  readonly lse_HM: Tensor;
  /** The residual stream after attention, f32. */
  readonly middle_MC: Tensor;
  readonly middleNorm_MC: Tensor;
  readonly middleRstd_M: Tensor;
  readonly gate_MF: Tensor;
  readonly up_MF: Tensor;
  readonly activated_MF: Tensor;
}

/** Gradients on their way back; every block uses the same. */
export interface BackwardBuffers {
  /** Of the residual stream, f32. */
  readonly dx_MC: Tensor;
  /** The same in the operands' dtype; the very same tensor in f32. */
  readonly dxLow_MC: Tensor;
  /** Of a norm's output, f32. */
  readonly dnorm_MC: Tensor;
  readonly dattended_MHD: Tensor;
  readonly dq_MHD: Tensor;
  readonly dk_MKD: Tensor;
  readonly dv_MKD: Tensor;
  readonly dactivated_MF: Tensor;
}

export interface Activations {
  readonly sizeBytes: number;
  /** The residual stream before each block, and after the last: layers + 1 tensors, f32. */
  readonly stream_MC: readonly Tensor[];
  /** One per layer; with recomputation the same one for all. */
  readonly blocks: readonly BlockActivations[];
  readonly finalNorm_MC: Tensor;
  readonly finalRstd_M: Tensor;
  readonly backward: BackwardBuffers;
}

export interface ActivationSizes {
  readonly config: LlamaConfig;
  /** M */
  readonly rows: number;
  readonly operands: Dtype;
  /** Keep only the stream and compute a block's activations again when its backward pass needs them. */
  readonly recompute: boolean;
}

/** Lays out all tensors from `base` on; with base 0 to learn the size. */
export function planActivations(base: number, sizes: ActivationSizes): Activations {
  const { config, rows, operands, recompute } = sizes;
  const planner = new TensorPlanner(base);
  const stream_MC = Array.from({ length: config.layers + 1 }, () =>
    planner.tensor(F32, rows, config.hiddenSize),
  );
  const shared = recompute ? planBlock(planner, sizes) : null;
  const blocks = Array.from({ length: config.layers }, () => shared ?? planBlock(planner, sizes));
  const finalNorm_MC = planner.tensor(operands, rows, config.hiddenSize);
  const finalRstd_M = planner.tensor(F32, rows);
  const backward = planBackward(planner, sizes);
  return { sizeBytes: planner.sizeBytes, stream_MC, blocks, finalNorm_MC, finalRstd_M, backward };
}

function planBlock(planner: TensorPlanner, { config, rows, operands }: ActivationSizes): BlockActivations {
  const { hiddenSize, intermediateSize, heads, kvHeads } = config;
  const size = headSize(config);
  return {
    inputNorm_MC: planner.tensor(operands, rows, hiddenSize),
    inputRstd_M: planner.tensor(F32, rows),
    q_MHD: planner.tensor(operands, rows, heads, size),
    k_MKD: planner.tensor(operands, rows, kvHeads, size),
    v_MKD: planner.tensor(operands, rows, kvHeads, size),
    attended_MHD: planner.tensor(operands, rows, heads, size),
    lse_HM: planner.tensor(F32, heads, rows),
    middle_MC: planner.tensor(F32, rows, hiddenSize),
    middleNorm_MC: planner.tensor(operands, rows, hiddenSize),
    middleRstd_M: planner.tensor(F32, rows),
    gate_MF: planner.tensor(operands, rows, intermediateSize),
    up_MF: planner.tensor(operands, rows, intermediateSize),
    activated_MF: planner.tensor(operands, rows, intermediateSize),
  };
}

function planBackward(planner: TensorPlanner, { config, rows, operands }: ActivationSizes): BackwardBuffers {
  const { hiddenSize, intermediateSize, heads, kvHeads } = config;
  const size = headSize(config);
  const dx_MC = planner.tensor(F32, rows, hiddenSize);
  return {
    dx_MC,
    dxLow_MC: operands === F32 ? dx_MC : planner.tensor(operands, rows, hiddenSize),
    dnorm_MC: planner.tensor(F32, rows, hiddenSize),
    dattended_MHD: planner.tensor(operands, rows, heads, size),
    dq_MHD: planner.tensor(operands, rows, heads, size),
    dk_MKD: planner.tensor(operands, rows, kvHeads, size),
    dv_MKD: planner.tensor(operands, rows, kvHeads, size),
    dactivated_MF: planner.tensor(operands, rows, intermediateSize),
  };
}
