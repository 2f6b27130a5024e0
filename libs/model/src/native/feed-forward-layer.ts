// x + down(silu(gate(norm(x))) * up(norm(x))): the second half of a block, forward and backward. Its x is the stream
// after attention, middle_MC.
import type { BackwardBuffers, BlockActivations } from './activations.js';
import type { Tensor } from './tensor.js';
import type { TensorOps } from './tensor-ops.js';
import type { BlockWeights } from './weights.js';

/** y_MC = middle_MC + feed-forward. */
export function feedForward(
  ops: TensorOps,
  y_MC: Tensor,
  saved: BlockActivations,
  weights: BlockWeights,
  eps: number,
): void {
  ops.rmsNorm(saved.middleNorm_MC, saved.middleRstd_M, saved.middle_MC, weights.postAttentionNorm_C, eps);
  ops.linear(saved.gate_MF, saved.middleNorm_MC, weights.gate_FC);
  ops.linear(saved.up_MF, saved.middleNorm_MC, weights.up_FC);
  ops.swiglu(saved.activated_MF, saved.gate_MF, saved.up_MF);
  ops.linear(y_MC, saved.activated_MF, weights.down_CF, saved.middle_MC);
}

/** Turns dx of y_MC into dx of middle_MC, in place, and writes the gradients of the weights. Spends gate and up. */
export function feedForwardBackward(
  ops: TensorOps,
  gradients: BlockWeights,
  buffers: BackwardBuffers,
  saved: BlockActivations,
  weights: BlockWeights,
): void {
  const { dx_MC, dxLow_MC, dnorm_MC, dactivated_MF } = buffers;
  ops.linearBackwardInput(dactivated_MF, dxLow_MC, weights.down_CF);
  ops.linearBackwardWeight(gradients.down_CF, dxLow_MC, saved.activated_MF);

  ops.swigluBackward(saved.gate_MF, saved.up_MF, dactivated_MF);
  const [dgate_MF, dup_MF] = [saved.gate_MF, saved.up_MF];

  ops.linearBackwardInput(dnorm_MC, dgate_MF, weights.gate_FC);
  ops.linearBackwardInput(dnorm_MC, dup_MF, weights.up_FC, true);
  ops.linearBackwardWeight(gradients.gate_FC, dgate_MF, saved.middleNorm_MC);
  ops.linearBackwardWeight(gradients.up_FC, dup_MF, saved.middleNorm_MC);

  ops.rmsNormBackward(
    { dx_MC, dxLow_MC, dweight_C: gradients.postAttentionNorm_C },
    { rstd_M: saved.middleRstd_M, x_MC: saved.middle_MC, weight_C: weights.postAttentionNorm_C },
    dnorm_MC,
  );
}
