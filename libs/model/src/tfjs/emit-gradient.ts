import type { Tensor } from '@tensorflow/tfjs-core';
import { paddedLength } from '../config/parameter-layout.js';
import type { ParameterLayout, TensorLayout } from '../config/parameter-layout.js';
import type { GradientSink } from '../engine/engine.js';
import { addRows } from './add-rows.js';
import { readTensor } from './read-tensor.js';

/** A slot's gradient as the passes leave it. */
export interface GradientPieces {
  /** One per tensor of the layout between embedding and head, in its order. */
  readonly decoder: readonly Tensor[];
  /** Of the embedded inputs, [rows, hiddenSize]. */
  readonly embedded: Float32Array;
  /** Which row of the embedding each of them is. */
  readonly inputs: Int32Array;
}

/** Host memory for a slot's gradient, used again by the next. */
export interface GradientScratch {
  /** [vocabSize, hiddenSize], padded */
  readonly vocabulary: Float32Array;
  /** As long as the longest tensor of the decoder, padded. */
  readonly decoder: Float32Array;
}

export function gradientScratch(layout: ParameterLayout): GradientScratch {
  const [embedding, ...others] = layout.tensors;
  const decoder = others
    .filter(({ name }) => name !== 'lm_head.weight')
    .map(({ size }) => paddedLength(size));
  return {
    vocabulary: new Float32Array(paddedLength(embedding.size)),
    decoder: new Float32Array(Math.max(...decoder)),
  };
}

/**
 * Hands every tensor's gradient to the sink, from the layout's end to its start.
 *
 * @param scratch `vocabulary` holds the head's gradient
 */
export function emitGradient(
  layout: ParameterLayout,
  pieces: GradientPieces,
  scratch: GradientScratch,
  sink: GradientSink,
): void {
  const [embedding, ...others] = layout.tensors;
  const tied = others.length === pieces.decoder.length;
  if (!tied) sink.bucket(others[others.length - 1].offset, scratch.vocabulary);
  for (let index = pieces.decoder.length - 1; index >= 0; index--) {
    sink.bucket(others[index].offset, padded(others[index], pieces.decoder[index], scratch.decoder));
  }
  if (!tied) scratch.vocabulary.fill(0);
  addRows(scratch.vocabulary, pieces.inputs, pieces.embedded);
  sink.bucket(embedding.offset, scratch.vocabulary);
}

function padded({ size }: TensorLayout, gradient: Tensor, memory: Float32Array): Float32Array {
  const whole = memory.subarray(0, paddedLength(size));
  readTensor(whole, gradient);
  return whole.fill(0, size);
}
