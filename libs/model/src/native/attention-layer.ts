// x + attention(norm(x)): the first half of a block, forward and backward.
import type { BackwardBuffers, BlockActivations } from './activations.js';
import type { Tensor } from './tensor.js';
import type { Positions, RotaryTable, TensorOps } from './tensor-ops.js';
import type { BlockWeights } from './weights.js';

export interface AttentionInputs {
  readonly batch: number;
  readonly positions: Positions;
  readonly rotary: RotaryTable;
  readonly eps: number;
}

/** Fills `saved` up to its middle_MC = x + attention. */
export function attentionForward(
  ops: TensorOps,
  saved: BlockActivations,
  x_MC: Tensor,
  weights: BlockWeights,
  { batch, positions, rotary, eps }: AttentionInputs,
): void {
  projectHeads(ops, saved, x_MC, weights, { positions, rotary, eps });
  ops.attention(
    { out_MHD: saved.attended_MHD, lse_HM: saved.lse_HM },
    saved.q_MHD,
    saved.k_MKD,
    saved.v_MKD,
    batch,
  );
  ops.linear(saved.middle_MC, saved.attended_MHD, weights.output_CN, x_MC);
}

/** Norm, the three projections, and the positions turned into queries and keys. */
export function projectHeads(
  ops: TensorOps,
  saved: BlockActivations,
  x_MC: Tensor,
  weights: BlockWeights,
  { positions, rotary, eps }: Omit<AttentionInputs, 'batch'>,
): void {
  ops.rmsNorm(saved.inputNorm_MC, saved.inputRstd_M, x_MC, weights.inputNorm_C, eps);
  ops.linear(saved.q_MHD, saved.inputNorm_MC, weights.query_NC);
  ops.linear(saved.k_MKD, saved.inputNorm_MC, weights.key_KC);
  ops.linear(saved.v_MKD, saved.inputNorm_MC, weights.value_KC);
  ops.rotary(saved.q_MHD, rotary, positions);
  ops.rotary(saved.k_MKD, rotary, positions);
}

/** Turns dx of middle_MC into dx of x_MC, in place, and writes the gradients of the weights. */
export function attentionBackward(
  ops: TensorOps,
  gradients: BlockWeights,
  buffers: BackwardBuffers,
  saved: BlockActivations,
  x_MC: Tensor,
  weights: BlockWeights,
  { batch, positions, rotary }: AttentionInputs,
): void {
  const { dx_MC, dxLow_MC, dnorm_MC, dattended_MHD, dq_MHD, dk_MKD, dv_MKD } = buffers;
  ops.linearBackwardInput(dattended_MHD, dxLow_MC, weights.output_CN);
  ops.linearBackwardWeight(gradients.output_CN, dxLow_MC, saved.attended_MHD);

  const kept = { ...saved, out_MHD: saved.attended_MHD, k_SKD: saved.k_MKD, v_SKD: saved.v_MKD };
  ops.attentionBackward({ dq_MHD, dk_SKD: dk_MKD, dv_SKD: dv_MKD }, kept, dattended_MHD, batch);
  ops.rotary(dq_MHD, rotary, positions, true);
  ops.rotary(dk_MKD, rotary, positions, true);

  ops.linearBackwardInput(dnorm_MC, dq_MHD, weights.query_NC);
  ops.linearBackwardInput(dnorm_MC, dk_MKD, weights.key_KC, true);
  ops.linearBackwardInput(dnorm_MC, dv_MKD, weights.value_KC, true);
  ops.linearBackwardWeight(gradients.query_NC, dq_MHD, saved.inputNorm_MC);
  ops.linearBackwardWeight(gradients.key_KC, dk_MKD, saved.inputNorm_MC);
  ops.linearBackwardWeight(gradients.value_KC, dv_MKD, saved.inputNorm_MC);

  ops.rmsNormBackward(
    { dx_MC, dxLow_MC, dweight_C: gradients.inputNorm_C },
    { rstd_M: saved.inputRstd_M, x_MC, weight_C: weights.inputNorm_C },
    dnorm_MC,
  );
}
