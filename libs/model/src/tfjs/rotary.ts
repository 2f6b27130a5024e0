// Rotary position embedding (Su et al., 2021) in Hugging Face's half-split form: dimension j turns together with
// dimension j + headSize / 2. Weights trained this way need no permutation on export.
import { add, concat, mul, neg, split } from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { cosine, realPower, sine } from '../arithmetic/elementary.js';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';

/** cos and sin of every position's angles, each [1, positions, 1, headSize]. */
export interface RotaryTensors {
  readonly cos: Tensor4D;
  readonly sin: Tensor4D;
}

/** cos and sin of every position's angles, each positions x headSize, row-major; both halves of a row are equal. */
export interface RotaryTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

const f32 = Math.fround;

/**
 * Angles as PyTorch computes them in f32, so that long positions agree with Hugging Face to the last bits: inverse
 * frequency 1 / theta^(2j / headSize) rounded, times position rounded, then cos and sin rounded.
 */
export function rotaryTables(config: LlamaConfig, positions: number): RotaryTables {
  const size = headSize(config);
  const half = size / 2;
  const cos = new Float32Array(positions * size);
  const sin = new Float32Array(positions * size);
  for (let j = 0; j < half; j++) {
    const inverseFrequency = f32(1 / f32(realPower(config.ropeTheta, f32((2 * j) / size))));
    for (let position = 0; position < positions; position++) {
      const angle = f32(position * inverseFrequency);
      const at = position * size + j;
      cos[at] = cos[at + half] = cosine(angle);
      sin[at] = sin[at + half] = sine(angle);
    }
  }
  return { cos, sin };
}

/**
 * Turns every pair by its position's angle: x cos + rotateHalf(x) sin, rotateHalf(x) = (-second half, first half).
 *
 * @param x [sequences, positions, heads, headSize]
 */
export function rotary(x: Tensor4D, { cos, sin }: RotaryTensors): Tensor4D {
  const [first, second] = split(x, 2, 3);
  return add(mul(x, cos), mul(concat([neg(second), first], 3), sin));
}
