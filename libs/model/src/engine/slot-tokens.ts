import { CriaError } from '@cria/runtime';

/** A slot's tokens as a model takes them; the target of a position is the input of the next. */
export interface InputsAndTargets {
  /** [sequences * sequenceLength] */
  readonly inputs: Int32Array;
  /** [sequences * sequenceLength] */
  readonly targets: Int32Array;
}

/**
 * @param tokens [sequences, sequenceLength + 1]
 * @throws DATA_CORRUPT when the count is not that, or a token lies outside the vocabulary
 */
export function splitTokens(
  tokens: Uint16Array,
  sizes: { sequences: number; sequenceLength: number; vocabSize: number },
): InputsAndTargets {
  const { sequences, sequenceLength, vocabSize } = sizes;
  const rowLength = sequenceLength + 1;
  if (sequences < 1 || tokens.length !== sequences * rowLength) {
    throw new CriaError(
      'DATA_CORRUPT',
      `a slot of ${sequences} sequences has ${tokens.length} tokens; ${sequences * rowLength} are expected`,
      { context: { sequences, sequenceLength, tokens: tokens.length } },
    );
  }
  checkVocabulary(tokens, vocabSize);
  const inputs = new Int32Array(sequences * sequenceLength);
  const targets = new Int32Array(sequences * sequenceLength);
  for (let sequence = 0; sequence < sequences; sequence++) {
    const from = sequence * rowLength;
    inputs.set(tokens.subarray(from, from + sequenceLength), sequence * sequenceLength);
    targets.set(tokens.subarray(from + 1, from + rowLength), sequence * sequenceLength);
  }
  return { inputs, targets };
}

/** An engine would read foreign memory for a token that is not in the vocabulary. */
export function checkVocabulary(tokens: Uint16Array, vocabSize: number): void {
  const at = tokens.findIndex((token) => token >= vocabSize);
  if (at < 0) return;
  throw new CriaError(
    'DATA_CORRUPT',
    `token ${tokens[at]} at position ${at} lies outside the model's vocabulary of ${vocabSize}`,
    { context: { token: tokens[at], position: at, vocabSize } },
  );
}
