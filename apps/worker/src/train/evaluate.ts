import type { Evaluate, EvaluatedSequence } from '@cria/protocol';
import type { EngineClient } from './engine-client.js';
import { tokensOf } from './tokens.js';

const CANONICAL_NAN = 0x7fc0_0000;

/**
 * Forward passes over validation sequences, as many at a time as a slot has; yields the losses as they come.
 *
 * @param batch sequences at a time: the engine's memory is planned for a slot
 */
export async function* evaluateSequences(
  engine: EngineClient,
  request: Evaluate,
  batch: number,
): AsyncGenerator<EvaluatedSequence[]> {
  for (let at = 0; at < request.sequences.length; at += batch) {
    const some = request.sequences.slice(at, at + batch);
    const tokens = tokensOf(Buffer.concat(some.map((sequence) => sequence.tokens)));
    const losses = await engine.evaluate(tokens, some.length);
    yield some.map(({ index }, i) => ({ index, lossBits: bitsOf(losses[i] ?? Number.NaN) }));
  }
}

function bitsOf(loss: number): number {
  if (Number.isNaN(loss)) return CANONICAL_NAN;
  return new Uint32Array(Float32Array.of(loss).buffer)[0] ?? CANONICAL_NAN;
}
