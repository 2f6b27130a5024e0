// Random tensors for tests, in a dtype and as the doubles that they are exactly.
import type { Rng } from '@cria/runtime';
import { expect } from 'vitest';
import { bf16ToF32, f32ToBf16 } from '../reference/bf16.js';
import { BF16 } from './native-context.js';
import type { Dtype } from './native-context.js';
import type { Values } from './plain-layers.js';

export type Stored = Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

export interface TestTensor {
  readonly stored: Stored;
  readonly values: Values;
}

/** Uniform in (-scale, scale), rounded to the dtype. */
export function randomTensor(rng: Rng, count: number, dtype: Dtype, scale = 1): TestTensor {
  return tensorOf(
    Float32Array.from({ length: count }, () => (2 * rng.next() - 1) * scale),
    dtype,
  );
}

export function tensorOf(values: Float32Array<ArrayBuffer>, dtype: Dtype): TestTensor {
  const stored = store(values, dtype);
  return { stored, values: read(stored) };
}

/** An output to be filled; NaN where nothing writes. */
export function emptyTensor(count: number, dtype: Dtype): Stored {
  return store(new Float32Array(count).fill(NaN), dtype);
}

export function read(stored: Stored): Values {
  if (stored instanceof Float32Array) return Float64Array.from(stored);
  const values = new Float32Array(stored.length);
  bf16ToF32(stored, values);
  return Float64Array.from(values);
}

function store(values: Float32Array<ArrayBuffer>, dtype: Dtype): Stored {
  if (dtype !== BF16) return values;
  const words = new Uint16Array(values.length);
  f32ToBf16(values, words);
  return words;
}

/** Largest difference, relative to the largest expected value. */
export function deviation(actual: Values, expected: Values): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = 0;
  expected.forEach((value, i) => {
    difference = Math.max(difference, Math.abs(actual[i] - value));
    largest = Math.max(largest, Math.abs(value));
    if (Number.isNaN(actual[i])) difference = NaN;
  });
  return difference / largest;
}
