// The addon's kernels on tensors: sizes come from shapes, so that a layer reads as the paper writes it.
import { assert } from '@cria/runtime';
import { BF16 } from '@cria/kernels/native';
import type { NativeContext } from '@cria/kernels/native';
import { elementCount } from './tensor.js';
import type { Tensor } from './tensor.js';

/** Where f32 gradients of weights go: an address in a gradient bucket, shaped like the weight. */
export type WeightGradient = Tensor;

export interface RotaryTable {
  /** [positions, headSize / 2], f32 */
  readonly cosines: Tensor;
  readonly sines: Tensor;
}

/** Sequences of a batch: how long they are and at which position they begin. */
export interface Positions {
  readonly length: number;
  readonly first: number;
}

export class TensorOps {
  readonly context: NativeContext;

  constructor(context: NativeContext) {
    this.context = context;
  }

  /** y_MN = x_MC w_NC^T (+ residual_MN) */
  linear(y_MN: Tensor, x_MC: Tensor, w_NC: Tensor, residual_MN: Tensor | null = null): void {
    const [rows, inner] = matrix(x_MC);
    const [out] = matrix(w_NC);
    const residual = residual_MN?.address ?? null;
    this.context.linearForward(
      ...[y_MN.address, x_MC.address, w_NC.address, residual, rows, out, inner, x_MC.dtype, y_MN.dtype],
    );
  }

  /** dx_MC = dy_MN w_NC; with `accumulate` added to what is there. */
  linearBackwardInput(dx_MC: Tensor, dy_MN: Tensor, w_NC: Tensor, accumulate = false): void {
    const [rows, out] = matrix(dy_MN);
    const [, inner] = matrix(w_NC);
    const sizes = [rows, out, inner, accumulate, dy_MN.dtype, dx_MC.dtype] as const;
    this.context.linearBackwardInput(dx_MC.address, dy_MN.address, w_NC.address, ...sizes);
  }

  /** dw_NC = dy_MN^T x_MC */
  linearBackwardWeight(dw_NC: WeightGradient, dy_MN: Tensor, x_MC: Tensor): void {
    const [rows, out] = matrix(dy_MN);
    const [, inner] = matrix(x_MC);
    const sizes = [rows, out, inner, false, dy_MN.dtype] as const;
    this.context.linearBackwardWeight(dw_NC.address, dy_MN.address, x_MC.address, ...sizes);
  }

  /** y_MC = table_VC[tokens_M] */
  embedding(y_MC: Tensor, tokens_M: Int32Array, table_VC: Tensor): void {
    const [vocabulary, width] = matrix(table_VC);
    const sizes = [tokens_M.length, width, vocabulary, table_VC.dtype] as const;
    this.context.embeddingForward(y_MC.address, tokens_M, table_VC.address, ...sizes);
  }

  /** dtable_VC[tokens_M] += dy_MC */
  embeddingBackward(dtable_VC: WeightGradient, dy_MC: Tensor, tokens_M: Int32Array): void {
    const [vocabulary, width] = matrix(dtable_VC);
    this.context.embeddingBackward(
      dtable_VC.address,
      dy_MC.address,
      tokens_M,
      tokens_M.length,
      width,
      vocabulary,
    );
  }

  /** y_MC = x_MC * rstd_M * weight_C */
  rmsNorm(y_MC: Tensor, rstd_M: Tensor, x_MC: Tensor, weight_C: Tensor, eps: number): void {
    const [rows, width] = matrix(x_MC);
    const sizes = [rows, width, eps, y_MC.dtype] as const;
    this.context.rmsNormForward(y_MC.address, rstd_M.address, x_MC.address, weight_C.address, ...sizes);
  }

  /**
   * dx_MC += gradient through the norm of dy_MC (dx is overwritten when `fresh`), and the same in the operands' dtype
   * to dxLow_MC where that is another tensor. dweight_C is overwritten.
   */
  rmsNormBackward(
    gradient: { dx_MC: Tensor; dxLow_MC: Tensor; dweight_C: WeightGradient; fresh?: boolean },
    saved: { rstd_M: Tensor; x_MC: Tensor; weight_C: Tensor },
    dy_MC: Tensor,
  ): void {
    const { dx_MC, dxLow_MC, dweight_C } = gradient;
    const { rstd_M, x_MC, weight_C } = saved;
    const low = dxLow_MC.dtype === BF16 ? dxLow_MC.address : null;
    const residual = gradient.fresh ? null : dx_MC.address;
    const [rows, width] = matrix(x_MC);
    this.context.rmsNormBackward(
      ...[dx_MC.address, low, dweight_C.address, rstd_M.address, residual],
      ...[dy_MC.address, x_MC.address, weight_C.address, rows, width],
    );
  }

  /** Turns x_MHD in place by its rows' positions; `inverse` is the backward pass. */
  rotary(x_MHD: Tensor, table: RotaryTable, { length, first }: Positions, inverse = false): void {
    const [rows, heads, headSize] = x_MHD.shape;
    this.context.rotary(
      ...[x_MHD.address, table.cosines.address, table.sines.address],
      ...[rows, length, first, heads, headSize, inverse, x_MHD.dtype],
    );
  }

  /** out_MHD and lse_M; causal, the queries are the last of the keys. */
  attention(
    saved: { out_MHD: Tensor; lse_HM: Tensor },
    q_MHD: Tensor,
    k_SKD: Tensor,
    v_SKD: Tensor,
    batch: number,
  ): void {
    this.context.attentionForward(
      ...[saved.out_MHD.address, saved.lse_HM.address, q_MHD.address, k_SKD.address, v_SKD.address],
      ...attentionShape(q_MHD, k_SKD, batch),
    );
  }

  attentionBackward(
    gradient: { dq_MHD: Tensor; dk_SKD: Tensor; dv_SKD: Tensor },
    saved: { out_MHD: Tensor; lse_HM: Tensor; q_MHD: Tensor; k_SKD: Tensor; v_SKD: Tensor },
    dout_MHD: Tensor,
    batch: number,
  ): void {
    const { out_MHD, lse_HM, q_MHD, k_SKD, v_SKD } = saved;
    this.context.attentionBackward(
      ...[gradient.dq_MHD.address, gradient.dk_SKD.address, gradient.dv_SKD.address],
      ...[out_MHD.address, lse_HM.address, dout_MHD.address, q_MHD.address, k_SKD.address, v_SKD.address],
      ...attentionShape(q_MHD, k_SKD, batch),
    );
  }

  /** y = silu(gate) * up */
  swiglu(y: Tensor, gate: Tensor, up: Tensor): void {
    this.context.swigluForward(y.address, gate.address, up.address, elementCount(y), y.dtype);
  }

  /** Overwrites gate and up with their gradients. */
  swigluBackward(gate: Tensor, up: Tensor, dy: Tensor): void {
    const places = [gate.address, up.address, dy.address, gate.address, up.address] as const;
    this.context.swigluBackward(...places, elementCount(dy), dy.dtype);
  }

  /** losses_M of logits x_MC w_VC^T, and the gradients of their mean where they are asked for. */
  headLoss(
    out: { losses_M: Float32Array; dx_MC: Tensor | null; dw_VC: WeightGradient | null },
    x_MC: Tensor,
    w_VC: Tensor,
    targets_M: Int32Array,
  ): void {
    const [vocabulary, width] = matrix(w_VC);
    this.context.headLoss(
      ...[out.losses_M, out.dx_MC?.address ?? null, out.dw_VC?.address ?? null, x_MC.address, w_VC.address],
      ...[targets_M, targets_M.length, width, vocabulary, false, x_MC.dtype],
    );
  }
}

function matrix(tensor: Tensor): [rows: number, columns: number] {
  const [rows, ...rest] = tensor.shape;
  assert(rest.length > 0, 'a matrix has at least two dimensions');
  return [rows, rest.reduce((product, size) => product * size, 1)];
}

function attentionShape(q_MHD: Tensor, k_SKD: Tensor, batch: number) {
  const [rows, heads, headSize] = q_MHD.shape;
  const [keyRows, kvHeads] = k_SKD.shape;
  return [batch, rows / batch, keyRows / batch, heads, kvHeads, headSize, q_MHD.dtype] as const;
}
