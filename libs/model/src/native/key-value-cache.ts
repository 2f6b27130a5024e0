// Keys and values of the tokens that were already seen, so that the next token costs one row instead of all. It is an
// optimisation only: a row's numbers do not depend on which other rows are computed with it.
import type { Dtype } from '@cria/kernels/native';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import { rowsOf } from './tensor.js';
import type { Tensor, TensorPlanner } from './tensor.js';

/** Per layer, [positions, kvHeads, headSize]. */
export interface CachedLayer {
  readonly keys_SKD: Tensor;
  readonly values_SKD: Tensor;
}

export class KeyValueCache {
  readonly #layers: readonly CachedLayer[];
  #tokens: number[] = [];

  constructor(layers: readonly CachedLayer[]) {
    this.#layers = layers;
  }

  /**
   * How many of `tokens` need not be computed again; at least the last one does. The others are forgotten, and the
   * rest of `tokens` is taken as seen.
   */
  advance(tokens: Uint16Array): number {
    let known = 0;
    const most = Math.min(this.#tokens.length, tokens.length - 1);
    while (known < most && this.#tokens[known] === tokens[known]) known++;
    this.#tokens = Array.from(tokens);
    return known;
  }

  /** After a change of weights, or when computing failed. */
  clear(): void {
    this.#tokens = [];
  }

  /** A layer's first `count` positions. */
  layer(layer: number, count: number): CachedLayer {
    const { keys_SKD, values_SKD } = this.#layers[layer];
    return { keys_SKD: rowsOf(keys_SKD, 0, count), values_SKD: rowsOf(values_SKD, 0, count) };
  }
}

export function planCachedLayers(
  planner: TensorPlanner,
  config: LlamaConfig,
  operands: Dtype,
): CachedLayer[] {
  const shape = [config.maxPositions, config.kvHeads, headSize(config)];
  return Array.from({ length: config.layers }, () => ({
    keys_SKD: planner.tensor(operands, ...shape),
    values_SKD: planner.tensor(operands, ...shape),
  }));
}
