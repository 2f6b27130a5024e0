import { CriaError, philox } from '@cria/runtime';
import type { Engine } from '../engine/engine.js';
import { sampleToken, validateSampling } from './sample-token.js';
import type { SamplingOptions } from './sample-token.js';

export interface GenerateOptions extends SamplingOptions {
  readonly engine: Pick<Engine, 'logits'>;
  /** At least one token id. */
  readonly prompt: ArrayLike<number>;
  readonly maxTokens: number;
  /** The model's maxPositions; what is longer is continued from its last so many tokens. */
  readonly contextLength: number;
  /** Unsigned 32-bit. */
  readonly seed: number;
  /** Ends the text; not part of the result. */
  readonly stopToken?: number;
  /** Sees every token as soon as it is chosen. */
  readonly onToken?: (token: number) => void;
  readonly signal?: AbortSignal;
}

/** Keeps these random numbers apart from all others drawn from the same seed ("samp" in ASCII). */
const PURPOSE = 0x73616d70;

/**
 * Continues a prompt. The same engine, weights and options give the same tokens: the random number for the i-th new
 * token depends on (seed, i) alone.
 *
 * @returns the new token ids, without the prompt and the stop token
 * @throws USAGE for an empty prompt or options out of range
 */
export async function generate(options: GenerateOptions): Promise<number[]> {
  validateSampling(options);
  if (options.prompt.length === 0)
    throw new CriaError('USAGE', 'the prompt is empty: give at least one token');
  const context = Array.from(options.prompt);
  const generated: number[] = [];
  while (generated.length < options.maxTokens) {
    options.signal?.throwIfAborted();
    const logits = await options.engine.logits(Uint16Array.from(context.slice(-options.contextLength)));
    const token = sampleToken(logits, options, uniform(options.seed, generated.length));
    if (token === options.stopToken) break;
    generated.push(token);
    context.push(token);
    options.onToken?.(token);
  }
  return generated;
}

/** In [0, 1), 32 random bits. */
function uniform(seed: number, index: number): number {
  const words = new Uint32Array(2);
  philox(seed, PURPOSE, index, words);
  return words[0] / 0x1_0000_0000;
}
