// state[0] is made from the seed by every worker for itself, so it has to be the same to the last bit everywhere: a
// value depends on (seed, tensor index, element) alone, and no libm function touches it.
import { philox } from '@cria/runtime';
import { inverseNormal } from '../arithmetic/inverse-normal.js';
import type { LlamaConfig } from '../config/llama-config.js';
import { parameterLayout } from '../config/parameter-layout.js';
import type { TensorLayout } from '../config/parameter-layout.js';

/** Keeps these random numbers apart from all others drawn from the run's seed ("init" in ASCII). */
const PURPOSE = 0x696e6974;

/** Outputs into the residual stream, scaled down by the number of such outputs (GPT-2, section 2.3). */
const RESIDUAL_OUTPUTS = ['self_attn.o_proj.weight', 'mlp.down_proj.weight'] as const;

/**
 * Initial parameters: norm weights 1, all others N(0, initStd), outputs into the residual stream
 * N(0, initStd / sqrt(2 * layers)); padding 0. About 40 ns per element.
 *
 * @param seed unsigned 32-bit
 * @param target where to write, of the layout's paddedSize and zero where padding is; made when left out
 */
export function initialParameters(
  config: LlamaConfig,
  seed: number,
  target: Float32Array = new Float32Array(parameterLayout(config).paddedSize),
): Float32Array {
  parameterLayout(config).tensors.forEach((tensor, index) => {
    const values = target.subarray(tensor.offset, tensor.offset + tensor.size);
    if (tensor.shape.length === 1) values.fill(1);
    else fillNormal(values, tensorKey(seed, index), standardDeviation(config, tensor));
  });
  return target;
}

function standardDeviation(config: LlamaConfig, tensor: TensorLayout): number {
  const isResidualOutput = RESIDUAL_OUTPUTS.some((name) => tensor.name.endsWith(name));
  return isResidualOutput ? config.initStd / Math.sqrt(2 * config.layers) : config.initStd;
}

function tensorKey(seed: number, index: number): number {
  const words = new Uint32Array(2);
  philox(seed, PURPOSE, index, words);
  return words[0];
}

/** values[i] from word i % 2 of philox(key, floor(i / 2)); a word w stands for the probability (w + 1/2) / 2^32. */
function fillNormal(values: Float32Array, key: number, deviation: number): void {
  const words = new Uint32Array(2);
  for (let i = 0; i < values.length; i++) {
    if ((i & 1) === 0) philox(key, 0, i / 2, words);
    values[i] = inverseNormal((words[i & 1] + 0.5) / 0x1_0000_0000) * deviation;
  }
}
