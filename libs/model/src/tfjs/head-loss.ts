// Output head and cross-entropy as one operation with its own gradient. The logits of a slot would be the largest
// tensor by far (256 tokens of a 50304-word vocabulary: 51 MB, several times over), so rows go through in chunks and
// nothing of that size outlives its chunk.
//
// With p = softmax(h W^T) and the mean over N rows, dLoss/dlogits = (p - onehot(target)) / N. The one-hot part is not
// subtracted from p, which would take a pass over all logits, but after the products, where it is a row of W or h:
//   dh = (p W - W[target]) / N        dW = (p^T h - sum of h into rows target) / N
//
// N rows, C hidden width, V vocabulary.
import { add, concat, customGrad, gather, matMul, max, mul, reshape } from '@tensorflow/tfjs-core';
import { scalar, slice, softmax, sub, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { present } from '@cria/runtime';
import { naturalLogarithm } from '../arithmetic/elementary.js';
import { addRows } from './add-rows.js';
import { readTensor } from './read-tensor.js';
import { timesWeight } from './linear.js';
import type { LinearWeight } from './linear.js';
import type { MatrixProducts } from './matrix-products.js';

type GradientSaver = (tensors: Tensor[]) => void;

const MOST_CHUNK_ROWS = 1024;

/** Below this a probability is near the end of f32's range, and the loss is taken from the logits. */
const SMALLEST_TRUSTED_PROBABILITY = 1e-30;

export interface HeadInputs {
  readonly products: MatrixProducts;
  /** At most so many logits exist at a time. A constant of the backend, because it touches bits. */
  readonly chunkLogits: number;
  /** [V, C] */
  readonly head: LinearWeight;
  /** [N] */
  readonly targets: Int32Array;
}

/** What the backward half leaves on the host, beside the gradient that flows on into the hidden states. */
export interface HeadOutputs {
  /** Loss of every row in nats, [N]. */
  losses: Float32Array;
  /** Gradient of the mean loss by the head's matrix, [V, C]: memory of the caller's, which is filled. */
  readonly weightGradient: Float32Array;
}

/**
 * Mean loss, differentiable in the hidden states.
 *
 * @param hidden normalised, [N, C]
 * @param outputs receives losses and the head's gradient
 */
export function headLoss(inputs: HeadInputs, hidden: Tensor2D, outputs: HeadOutputs): Scalar {
  const operation = customGrad<Scalar>((...args) => {
    const [hidden_NC, save] = args as unknown as [Tensor2D, GradientSaver];
    save([forwardBackward(inputs, hidden_NC, outputs)]);
    return {
      value: scalar(meanLoss(outputs.losses)),
      gradFunc: (dLoss, saved) => mul(dLoss, saved[0]),
    };
  });
  return operation(hidden);
}

/** Loss of every row in nats, [N], without gradients. */
export function headLosses(inputs: HeadInputs, hidden: Tensor2D): Float32Array {
  const losses = new Float32Array(inputs.targets.length);
  for (const chunk of chunksOf(inputs)) {
    tidy(() => losses.set(chunkProbabilities(inputs, chunk, hidden).losses, chunk.from));
  }
  return losses;
}

/** Mean in row order, in f64, rounded once. */
export function meanLoss(losses: Float32Array): number {
  let sum = 0;
  for (const loss of losses) sum += loss;
  return Math.fround(sum / losses.length);
}

/** Fills `outputs`; returns the gradient of the mean loss by the hidden states, [N, C]. */
function forwardBackward(inputs: HeadInputs, hidden: Tensor2D, outputs: HeadOutputs): Tensor2D {
  const { products, head, targets } = inputs;
  const inverseCount = Math.fround(1 / targets.length);
  outputs.losses = new Float32Array(targets.length);
  const dHidden: Tensor2D[] = [];
  let dHead: Tensor2D | null = null;
  for (const chunk of chunksOf(inputs)) {
    const before: Tensor2D | null = dHead;
    const after: ChunkGradients = tidy(() => {
      const { hiddenRows, probabilities, losses } = chunkProbabilities(inputs, chunk, hidden);
      outputs.losses.set(losses, chunk.from);
      const targetRows = gather(head.matrix, tensor1d(targets.subarray(chunk.from, chunk.to), 'int32'));
      const product = products.transposedTimes(probabilities, hiddenRows);
      return {
        dHidden: mul(sub(matMul(probabilities, head.matrix), targetRows), inverseCount),
        dHead: before === null ? product : add(before, product),
      };
    });
    before?.dispose();
    dHidden.push(after.dHidden);
    dHead = after.dHead;
  }
  readTensor(outputs.weightGradient, present(dHead, 'a chunk'), (piece) => mul(piece, inverseCount));
  addRows(outputs.weightGradient, targets, mul(hidden, -inverseCount).dataSync<'float32'>());
  return concat(dHidden, 0);
}

type ChunkGradients = {
  /** Of the chunk's rows, final: [rows, C] */
  readonly dHidden: Tensor2D;
  /** Sum of p^T h up to and with this chunk: [V, C] */
  readonly dHead: Tensor2D;
};

interface Chunk {
  /** Rows [from, to). */
  readonly from: number;
  readonly to: number;
}

function chunksOf({ head, targets, chunkLogits }: HeadInputs): Chunk[] {
  const vocabulary = head.matrix.shape[0];
  const rows = Math.min(MOST_CHUNK_ROWS, 2 ** Math.floor(Math.log2(chunkLogits / vocabulary)));
  const chunks: Chunk[] = [];
  for (let from = 0; from < targets.length; from += rows) {
    chunks.push({ from, to: Math.min(from + rows, targets.length) });
  }
  return chunks;
}

interface ChunkProbabilities {
  /** [rows, C] */
  readonly hiddenRows: Tensor2D;
  /** [rows, V] */
  readonly probabilities: Tensor2D;
  /** [rows] */
  readonly losses: Float32Array;
}

function chunkProbabilities(inputs: HeadInputs, chunk: Chunk, hidden: Tensor2D): ChunkProbabilities {
  const { products, head, targets } = inputs;
  const rows = chunk.to - chunk.from;
  const hiddenRows = slice(hidden, [chunk.from, 0], [rows, -1]);
  const logits = timesWeight(products, hiddenRows, head);
  const probabilities = softmax(logits);
  const atTargets = flatTargets(targets.subarray(chunk.from, chunk.to), head.matrix.shape[0]);
  const chosen = pick(probabilities, atTargets);
  if (chosen.some((probability) => probability < SMALLEST_TRUSTED_PROBABILITY)) {
    return { hiddenRows, probabilities, losses: lossesFromLogits(logits, probabilities, atTargets) };
  }
  return { hiddenRows, probabilities, losses: chosen.map((probability) => -logarithmOrNaN(probability)) };
}

/** Loss = largest logit - ln(its probability) - logit of the target: right even where the probability underflows. */
function lossesFromLogits(logits: Tensor2D, probabilities: Tensor2D, atTargets: Int32Array): Float32Array {
  const largest = max(logits, -1).dataSync<'float32'>();
  const largestProbability = max(probabilities, -1).dataSync<'float32'>();
  return pick(logits, atTargets).map(
    (logit, row) => largest[row] - logarithmOrNaN(largestProbability[row]) - logit,
  );
}

/** Positions of (row, target) in a flattened [rows, V]. */
function flatTargets(targets: Int32Array, vocabulary: number): Int32Array {
  return targets.map((target, row) => row * vocabulary + target);
}

function pick(values: Tensor2D, positions: Int32Array): Float32Array {
  return gather(reshape(values, [-1]), tensor1d(positions, 'int32')).dataSync<'float32'>();
}

function logarithmOrNaN(probability: number): number {
  return probability > 0 ? naturalLogarithm(probability) : NaN;
}
