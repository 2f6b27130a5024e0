// The cut between training and validation: whole documents at a source's end.
import { CriaError } from '@cria/runtime';
import type { TokenSource } from '../token-file/token-source.js';

/** A source's tokens [0, trainTokens) are for training, [trainTokens, all) for validation. */
export interface Split {
  readonly trainTokens: number;
  readonly validationTokens: number;
}

export interface SplitOptions {
  /** Share of the tokens to hold back; 0 = none. */
  readonly validationFraction: number;
  readonly sequenceLength: number;
}

/**
 * Holds back the shortest tail of whole documents that has the asked share of the tokens and room for one sequence.
 *
 * Errors: DATA_EMPTY, with what to change, when either side is too small for one sequence.
 */
export async function splitSource(source: TokenSource, options: SplitOptions): Promise<Split> {
  const { tokens } = source.header;
  const sequenceTokens = options.sequenceLength + 1; // inputs and targets overlap by all but one token
  if (tokens < sequenceTokens) throw tooSmall(source, 'training', sequenceTokens, tokens);
  if (options.validationFraction === 0) return { trainTokens: tokens, validationTokens: 0 };

  const held = Math.max(Math.ceil(tokens * options.validationFraction), sequenceTokens);
  const trainTokens = held > tokens ? 0 : await lastDocumentEnd(source, tokens - held);
  if (trainTokens < sequenceTokens) throw tooSmall(source, 'both', sequenceTokens, trainTokens);
  return { trainTokens, validationTokens: tokens - trainTokens };
}

/** The last document end at or before token `limit`; 0 if there is none. */
async function lastDocumentEnd(source: TokenSource, limit: number): Promise<number> {
  if (limit === 0) return 0;
  // Document documentAt(limit) holds token `limit`, or begins there.
  return source.documentEnd((await source.documentAt(limit)) - 1);
}

function tooSmall(
  source: TokenSource,
  what: 'training' | 'both',
  sequenceTokens: number,
  found: number,
): CriaError {
  const { tokens, documents } = source.header;
  const place = `${source.directory} (${tokens} tokens in ${documents} documents)`;
  const sentence =
    what === 'training'
      ? `${place} is too small for one sequence of ${sequenceTokens} tokens; prepare more text or lower budget.sequenceLength.`
      : `${place} leaves ${found} tokens for training once the last documents are held back for validation, fewer than one ` +
        `sequence of ${sequenceTokens}; prepare more text in more documents, lower budget.sequenceLength, or set ` +
        `data.validation.fraction to 0.`;
  return new CriaError('DATA_EMPTY', sentence, { context: { tokens, documents, sequenceTokens } });
}
