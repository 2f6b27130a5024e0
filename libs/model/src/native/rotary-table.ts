import { F32 } from '@cria/kernels/native';
import type { NativeContext } from '@cria/kernels/native';
import { cosine, realPower, sine } from '../arithmetic/elementary.js';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import type { RotaryTable } from './tensor-ops.js';

const f32 = Math.fround;

/**
 * cos and sin of every position's angles, each [maxPositions, headSize / 2]. Angles as PyTorch computes them in f32, so
 * that long positions agree with Hugging Face: inverse frequency 1 / theta^(2j / headSize) rounded, times position
 * rounded, then cos and sin rounded.
 */
export function createRotaryTable(context: NativeContext, config: LlamaConfig): RotaryTable {
  const size = headSize(config);
  const half = size / 2;
  const positions = config.maxPositions;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let j = 0; j < half; j++) {
    const inverseFrequency = f32(1 / f32(realPower(config.ropeTheta, f32((2 * j) / size))));
    for (let position = 0; position < positions; position++) {
      const angle = f32(position * inverseFrequency);
      cosines[position * half + j] = cosine(angle);
      sines[position * half + j] = sine(angle);
    }
  }
  const shape = [positions, half];
  return {
    cosines: { address: context.attach(cosines), shape, dtype: F32 },
    sines: { address: context.attach(sines), shape, dtype: F32 },
  };
}
