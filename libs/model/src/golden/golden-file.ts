// Reads what tools/golden/make_golden.py wrote. For tests.
import { readFileSync } from 'node:fs';
import { present } from '@cria/runtime';
import type { LlamaConfig } from '../config/llama-config.js';
import type { ParameterLayout } from '../config/parameter-layout.js';
import type { OptimizerConfig } from '../optimizer/optimizer-config.js';

/** f32 values, little-endian, base64. */
type Encoded = string;

export interface GoldenFile {
  readonly config: LlamaConfig;
  readonly optimizer: OptimizerConfig;
  readonly budgetSteps: number;
  readonly sequences: number;
  readonly sequenceLength: number;
  /** Tokens of one slot per step, [sequences, sequenceLength + 1] each. */
  readonly slots: readonly number[][];
  /** How far PyTorch's own f32 is from its f64: largest difference relative to a tensor's largest value. */
  readonly deviationOfPytorchF32: {
    readonly logits: number;
    readonly gradients: number;
    readonly weights: number;
  };
  readonly steps: ReadonlyArray<{ loss: number; gradNorm: number; learningRate: number }>;
  /** Of the first slot. */
  readonly sequenceLosses: readonly number[];
  /** Of the first slot's first sequence, [sequenceLength, vocabSize]. */
  readonly logits: Encoded;
  readonly initialWeights: Readonly<Record<string, Encoded>>;
  /** Of the first slot, before clipping. */
  readonly gradients: Readonly<Record<string, Encoded>>;
  readonly finalWeights: Readonly<Record<string, Encoded>>;
}

export function readGolden(head: 'tied' | 'untied'): GoldenFile {
  const file = new URL(`../../src/golden/tiny-llama-${head}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as GoldenFile;
}

export function decodeFloats(encoded: Encoded): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(encoded, 'base64'));
  return new Float32Array(bytes.buffer);
}

/** Tensors by name as one flat padded array. */
export function flatten(layout: ParameterLayout, tensors: Readonly<Record<string, Encoded>>): Float32Array {
  const flat = new Float32Array(layout.paddedSize);
  for (const { name, offset } of layout.tensors) flat.set(decodeFloats(present(tensors[name], name)), offset);
  return flat;
}

/** Largest difference relative to the largest expected value; NaN when anything is. */
export function deviation(actual: Float32Array, expected: Float32Array): number {
  let difference = 0;
  let largest = 0;
  expected.forEach((value, index) => {
    difference = Math.max(difference, Math.abs(actual[index] - value));
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}
