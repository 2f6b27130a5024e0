import type { Tensor } from '@tensorflow/tfjs-core';
import { paddedLength } from '../config/parameter-layout.js';
import type { ParameterLayout, TensorLayout } from '../config/parameter-layout.js';
import type { GradientSink } from '../engine/engine.js';
import { addRows } from './add-rows.js';

/** A slot's gradient as the passes leave it. */
export interface GradientPieces {
  /** Of the matrix that serves as the head, [vocabSize, hiddenSize]; the embedding's own part is added to it when tied. */
  readonly head: Float32Array;
  /** One per tensor of the layout between embedding and head, in its order. */
  readonly decoder: readonly Tensor[];
  /** Of the embedded inputs, [rows, hiddenSize]. */
  readonly embedded: Float32Array;
  /** Which row of the embedding each of them is. */
  readonly inputs: Int32Array;
}

/** Hands every tensor's gradient to the sink, from the layout's end to its start. */
export function emitGradient(layout: ParameterLayout, pieces: GradientPieces, sink: GradientSink): void {
  const [embedding, ...others] = layout.tensors;
  const tied = others.length === pieces.decoder.length;
  if (!tied) emit(sink, others[others.length - 1], pieces.head);
  for (let index = pieces.decoder.length - 1; index >= 0; index--) {
    emit(sink, others[index], pieces.decoder[index].dataSync<'float32'>());
  }
  const gradient = tied ? pieces.head : new Float32Array(embedding.size);
  addRows(gradient, pieces.inputs, pieces.embedded);
  emit(sink, embedding, gradient);
}

function emit(sink: GradientSink, { offset, size }: TensorLayout, gradient: Float32Array): void {
  if (size === paddedLength(size)) return sink.bucket(offset, gradient);
  const padded = new Float32Array(paddedLength(size));
  padded.set(gradient);
  sink.bucket(offset, padded);
}
