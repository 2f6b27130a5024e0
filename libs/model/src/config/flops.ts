import { parameterLayout } from './parameter-layout.js';
import type { LlamaConfig } from './llama-config.js';

/**
 * Floating-point operations of one token's forward and backward pass, counted as torchtitan counts them for MFU:
 * 6 per parameter that is multiplied (the embedding is looked up, the head is multiplied: a tied matrix counts once),
 * and 12 * layers * heads * headSize * sequenceLength for attention, which is not discounted for being causal.
 *
 * @param sequenceLength tokens per sequence
 */
export function flopsPerToken(config: LlamaConfig, sequenceLength: number): number {
  const lookedUp = config.tieEmbeddings ? 0 : config.vocabSize * config.hiddenSize;
  const multiplied = parameterLayout(config).numel - lookedUp;
  return 6 * multiplied + 12 * config.layers * config.hiddenSize * sequenceLength;
}
