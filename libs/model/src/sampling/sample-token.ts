import { assert, CriaError } from '@cria/runtime';
import { exponential } from '../arithmetic/elementary.js';

/** How the next token is chosen. */
export interface SamplingOptions {
  /** 0 takes the likeliest token; 1 samples as the model says; above 1 flattens. */
  readonly temperature: number;
  /** Nucleus (Holtzman et al., 2020): only the likeliest tokens that together have this probability; 1 keeps all. */
  readonly topP: number;
}

/** Below this distance from the largest logit a token's weight is 0 (e^-700 is near the smallest double). */
const SMALLEST_EXPONENT = -700;

/**
 * The next token, a pure function of its arguments; equal logits are taken in the order of their ids.
 *
 * @param logits [vocabSize]
 * @param uniform in [0, 1), decides when temperature is above 0
 * @throws USAGE for options out of range
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, uniform: number): number {
  validateSampling(options);
  if (options.temperature === 0) return indexOfLargest(logits);
  const weights = softmaxWeights(logits, options.temperature);
  const order = Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const kept = nucleus(order, weights, options.topP * total);
  return draw(kept.tokens, weights, uniform * kept.weight);
}

/** @throws USAGE naming the option and its range */
export function validateSampling({ temperature, topP }: SamplingOptions): void {
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw new CriaError('USAGE', `temperature is ${temperature}: it must be 0 or more`);
  }
  if (!(topP > 0 && topP <= 1))
    throw new CriaError('USAGE', `top-p is ${topP}: it must be above 0 and at most 1`);
}

function indexOfLargest(values: Float32Array): number {
  let largest = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[largest]) largest = i;
  return largest;
}

/** e^((logit - largest) / temperature), between 0 and 1. */
function softmaxWeights(logits: Float32Array, temperature: number): Float64Array {
  const largest = logits[indexOfLargest(logits)];
  assert(Number.isFinite(largest), 'the logits are finite');
  return Float64Array.from(logits, (logit) => {
    const exponent = (logit - largest) / temperature;
    return exponent > SMALLEST_EXPONENT ? exponential(exponent) : 0;
  });
}

/** The shortest prefix of `order` that weighs at least `wanted`; never empty. */
function nucleus(
  order: number[],
  weights: Float64Array,
  wanted: number,
): { tokens: number[]; weight: number } {
  let weight = 0;
  for (let count = 0; count < order.length; count++) {
    weight += weights[order[count]];
    if (weight >= wanted) return { tokens: order.slice(0, count + 1), weight };
  }
  return { tokens: order, weight };
}

/** The token at whose place the running sum passes `point`. */
function draw(tokens: number[], weights: Float64Array, point: number): number {
  let sum = 0;
  for (const token of tokens) {
    sum += weights[token];
    if (sum > point) return token;
  }
  return tokens[tokens.length - 1];
}
