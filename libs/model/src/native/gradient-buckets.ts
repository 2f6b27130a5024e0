// f32 gradients on their way to the sink. A block's gradients are handed out as one bucket as soon as its backward pass
// is done, so all blocks share one buffer; head and embedding share the other. Padding between tensors is never
// written and stays zero.
import { F32 } from '@cria/kernels/native';
import type { NativeContext } from '@cria/kernels/native';
import type { LlamaConfig } from '../config/llama-config.js';
import { paddedLength } from '../config/parameter-layout.js';
import type { ParameterLayout, TensorLayout } from '../config/parameter-layout.js';
import type { GradientSink } from '../engine/engine.js';
import type { Tensor } from './tensor.js';
import { nameBlockTensors, TENSORS_PER_BLOCK } from './weights.js';
import type { BlockWeights } from './weights.js';

interface Bucket {
  readonly values: Float32Array;
  readonly address: number;
}

export class GradientBuckets {
  /** Where a block's gradients go, shaped like its weights. */
  readonly block: BlockWeights;
  readonly norm_C: Tensor;
  /** Of the head, then of the embedding; with tied embeddings of both. */
  readonly vocabulary_VC: Tensor;
  readonly #layout: ParameterLayout;
  readonly #blockBucket: Bucket;
  readonly #normBucket: Bucket;
  readonly #vocabularyBucket: Bucket;

  constructor(context: NativeContext, config: LlamaConfig, layout: ParameterLayout) {
    const blockTensors = layout.tensors.slice(1, 1 + TENSORS_PER_BLOCK);
    const [embedding] = layout.tensors;
    const norm = layout.tensors[1 + config.layers * TENSORS_PER_BLOCK];
    this.#layout = layout;
    this.#blockBucket = createBucket(context, blockTensors);
    this.#normBucket = createBucket(context, [norm]);
    this.#vocabularyBucket = createBucket(context, [embedding]);
    this.block = nameBlockTensors(tensorsIn(this.#blockBucket, blockTensors));
    [this.norm_C] = tensorsIn(this.#normBucket, [norm]);
    [this.vocabulary_VC] = tensorsIn(this.#vocabularyBucket, [embedding]);
  }

  /** Hands out what is in `block` as the gradients of a layer. */
  emitBlock(layer: number, sink: GradientSink): void {
    sink.bucket(this.#layout.tensors[1 + layer * TENSORS_PER_BLOCK].offset, this.#blockBucket.values);
  }

  emitNorm(layers: number, sink: GradientSink): void {
    sink.bucket(this.#layout.tensors[1 + layers * TENSORS_PER_BLOCK].offset, this.#normBucket.values);
  }

  /** Hands out an untied head's gradient, the layout's last tensor, and clears the place for the embedding's. */
  emitHead(sink: GradientSink): void {
    const { tensors } = this.#layout;
    sink.bucket(tensors[tensors.length - 1].offset, this.#vocabularyBucket.values);
    this.#vocabularyBucket.values.fill(0);
  }

  emitEmbedding(sink: GradientSink): void {
    sink.bucket(this.#layout.tensors[0].offset, this.#vocabularyBucket.values);
  }
}

/** Room for consecutive tensors of the layout with their padding. */
function createBucket(context: NativeContext, tensors: readonly TensorLayout[]): Bucket {
  const first = tensors[0];
  const last = tensors[tensors.length - 1];
  const values = new Float32Array(last.offset + paddedLength(last.size) - first.offset);
  return { values, address: context.attach(values) };
}

function tensorsIn(bucket: Bucket, tensors: readonly TensorLayout[]): Tensor[] {
  const [{ offset: begin }] = tensors;
  return tensors.map(({ offset, shape }) => ({
    address: bucket.address + 4 * (offset - begin),
    shape,
    dtype: F32,
  }));
}
