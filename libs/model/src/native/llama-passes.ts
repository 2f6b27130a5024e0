// The Llama as a whole: embedding, blocks, final norm, head. Forward, backward, and one more forward that grows a
// key/value cache.
import type { LlamaConfig } from '../config/llama-config.js';
import type { GradientSink } from '../engine/engine.js';
import type { Activations } from './activations.js';
import { attentionBackward, attentionForward, projectHeads } from './attention-layer.js';
import type { AttentionInputs } from './attention-layer.js';
import { feedForward, feedForwardBackward } from './feed-forward-layer.js';
import type { GradientBuckets } from './gradient-buckets.js';
import type { KeyValueCache } from './key-value-cache.js';
import { rowsOf } from './tensor.js';
import type { Tensor } from './tensor.js';
import type { RotaryTable, TensorOps } from './tensor-ops.js';
import type { ModelWeights } from './weights.js';

/** What stays the same from call to call. */
export interface Llama {
  readonly config: LlamaConfig;
  readonly ops: TensorOps;
  readonly weights: ModelWeights;
  readonly rotary: RotaryTable;
}

export interface Batch {
  readonly sequences: number;
  /** [sequences * length], row-major */
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
}

/** Runs all blocks and the final norm; the stream and everything that the backward pass needs stay in `kept`. */
export function forward(llama: Llama, kept: Activations, { inputs, sequences }: Batch): void {
  const { config, ops, weights } = llama;
  const attention = attentionInputs(llama, inputs.length / sequences, sequences);
  ops.embedding(kept.stream_MC[0], inputs, weights.embedding_VC);
  for (let layer = 0; layer < config.layers; layer++) forwardBlock(llama, kept, layer, attention);
  ops.rmsNorm(
    kept.finalNorm_MC,
    kept.finalRstd_M,
    kept.stream_MC[config.layers],
    weights.norm_C,
    config.rmsNormEps,
  );
}

function forwardBlock(
  { config, ops, weights }: Llama,
  kept: Activations,
  layer: number,
  attention: AttentionInputs,
): void {
  const saved = kept.blocks[layer];
  attentionForward(ops, saved, kept.stream_MC[layer], weights.blocks[layer], attention);
  feedForward(ops, kept.stream_MC[layer + 1], saved, weights.blocks[layer], config.rmsNormEps);
}

/** Mean cross-entropy of each row in nats, forward only. */
export function rowLosses({ ops, weights }: Llama, kept: Activations, { targets }: Batch): Float32Array {
  const losses_M = new Float32Array(targets.length);
  ops.headLoss({ losses_M, dx_MC: null, dw_VC: null }, kept.finalNorm_MC, weights.head_VC, targets);
  return losses_M;
}

/**
 * From the loss back to the embedding. Buckets go to the sink from the layout's end to its start, each as soon as it
 * is final.
 *
 * @returns the loss of each row
 */
export function backward(
  llama: Llama,
  kept: Activations,
  buckets: GradientBuckets,
  batch: Batch,
  sink: GradientSink,
): Float32Array {
  const { config, ops, weights } = llama;
  const { dx_MC, dxLow_MC, dnorm_MC } = kept.backward;
  const attention = attentionInputs(llama, batch.inputs.length / batch.sequences, batch.sequences);
  const losses_M = new Float32Array(batch.targets.length);
  const head = { losses_M, dx_MC: dnorm_MC, dw_VC: buckets.vocabulary_VC };
  ops.headLoss(head, kept.finalNorm_MC, weights.head_VC, batch.targets);
  if (!config.tieEmbeddings) buckets.emitHead(sink);

  ops.rmsNormBackward(
    { dx_MC, dxLow_MC, dweight_C: buckets.norm_C, fresh: true },
    { rstd_M: kept.finalRstd_M, x_MC: kept.stream_MC[config.layers], weight_C: weights.norm_C },
    dnorm_MC,
  );
  buckets.emitNorm(config.layers, sink);

  const recompute = config.layers > 1 && kept.blocks[0] === kept.blocks[1];
  for (let layer = config.layers - 1; layer >= 0; layer--) {
    // The last block's activations are still there.
    if (recompute && layer < config.layers - 1) forwardBlock(llama, kept, layer, attention);
    const [saved, block] = [kept.blocks[layer], weights.blocks[layer]];
    feedForwardBackward(ops, buckets.block, kept.backward, saved, block);
    attentionBackward(ops, buckets.block, kept.backward, saved, kept.stream_MC[layer], block, attention);
    buckets.emitBlock(layer, sink);
  }
  ops.embeddingBackward(buckets.vocabulary_VC, dx_MC, batch.inputs);
  buckets.emitEmbedding(sink);
  return losses_M;
}

/**
 * Logits of the token after `tokens`, of which the cache knows the first `known`. `kept` has room for the others; its
 * two streams are used by all layers in turn.
 */
export function nextTokenLogits(
  llama: Llama,
  { kept, cache }: { kept: Activations; cache: KeyValueCache },
  tokens: Int32Array,
  known: number,
  logits_V: Tensor,
): void {
  const { config, ops, weights } = llama;
  const rows = tokens.length - known;
  const positions = { length: rows, first: known };
  let [x_MC, y_MC] = kept.stream_MC;
  ops.embedding(x_MC, tokens.subarray(known), weights.embedding_VC);
  for (let layer = 0; layer < config.layers; layer++) {
    const { keys_SKD, values_SKD } = cache.layer(layer, tokens.length);
    const fresh = {
      k_MKD: rowsOf(keys_SKD, known, tokens.length),
      v_MKD: rowsOf(values_SKD, known, tokens.length),
    };
    const saved = { ...kept.blocks[0], ...fresh };
    const block = weights.blocks[layer];
    projectHeads(ops, saved, x_MC, block, { positions, rotary: llama.rotary, eps: config.rmsNormEps });
    ops.attention(
      { out_MHD: saved.attended_MHD, lse_HM: saved.lse_HM },
      saved.q_MHD,
      keys_SKD,
      values_SKD,
      1,
    );
    ops.linear(saved.middle_MC, saved.attended_MHD, block.output_CN, x_MC);
    feedForward(ops, y_MC, saved, block, config.rmsNormEps);
    [x_MC, y_MC] = [y_MC, x_MC];
  }
  const last = rowsOf(x_MC, rows - 1, rows);
  const norm = rowsOf(kept.finalNorm_MC, 0, 1);
  ops.rmsNorm(norm, kept.finalRstd_M, last, weights.norm_C, config.rmsNormEps);
  ops.linear(logits_V, norm, weights.head_VC);
}

function attentionInputs({ config, rotary }: Llama, length: number, batch: number): AttentionInputs {
  return { batch, positions: { length, first: 0 }, rotary, eps: config.rmsNormEps };
}
