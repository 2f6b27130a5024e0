// A run's data: sequence i is a fixed place in fixed files, found without reading anything that comes before it.
import { createHash } from 'node:crypto';
import { CriaError, assert } from '@cria/runtime';
import { TokenSource } from '../token-file/token-source.js';
import { gpt2Tokenizer } from '../tokenizer/gpt2-tokenizer.js';
import { Mixture } from './mixture.js';
import { permutationKey, permute } from './permutation.js';
import { splitSource } from './split.js';
import type { Split } from './split.js';

export type SequenceOrder = 'shuffled' | 'sequential';

export interface DatasetOptions {
  /** Token directories with their relative shares of the sequences. */
  readonly sources: ReadonlyArray<{ readonly path: string; readonly weight: number }>;
  readonly order: SequenceOrder;
  readonly seed: number;
  /** Positions of the model that a sequence trains, T; a sequence is T+1 tokens. */
  readonly sequenceLength: number;
  /** Share of each source's tokens, its last documents, that is held back; 0 = none. */
  readonly validationFraction: number;
}

/** Where a sequence of the run lies. */
export interface SequencePlace {
  /** Index and path of the source. */
  readonly source: number;
  readonly path: string;
  /** How often the source had been gone through before. */
  readonly pass: number;
  /** Tokens [startToken, endToken) of the source, T+1 of them. */
  readonly startToken: number;
  readonly endToken: number;
  /** Documents that hold the first and the last of them. */
  readonly document: number;
  readonly lastDocument: number;
}

interface Part extends Split {
  readonly tokens: TokenSource;
  /** Sequences in one pass. */
  readonly trainSequences: number;
  readonly validationSequences: number;
}

export class Dataset {
  /** SHA-256 over the sources' hashes and weights: part of a run's genesis. */
  readonly fingerprint: string;
  readonly trainTokens: number;
  readonly validationTokens: number;
  /** Sequences that `validationSequence` knows. */
  readonly validationSequences: number;
  readonly #options: DatasetOptions;
  readonly #parts: readonly Part[];
  readonly #mixture: Mixture;

  /** Use {@link openDataset}. */
  constructor(options: DatasetOptions, parts: readonly Part[]) {
    this.#options = options;
    this.#parts = parts;
    this.#mixture = new Mixture(options.sources.map(({ weight }) => weight));
    this.fingerprint = fingerprintOf(options, parts);
    this.trainTokens = sumOf(parts, (part) => part.trainTokens);
    this.validationTokens = sumOf(parts, (part) => part.validationTokens);
    this.validationSequences = sumOf(parts, (part) => part.validationSequences);
  }

  /** The T+1 tokens of sequence `index` of the run: inputs are the first T, targets the last T. */
  async trainSequence(index: number): Promise<Uint16Array> {
    const { source, startToken } = this.#startOf(index);
    return this.#parts[source].tokens.read(startToken, this.#sequenceTokens);
  }

  /** The T+1 tokens of validation sequence `index`, source after source, in the order of the text. */
  async validationSequence(index: number): Promise<Uint16Array> {
    assert(index >= 0 && index < this.validationSequences, `validation sequence ${index} exists`);
    let left = index;
    for (const part of this.#parts) {
      if (left < part.validationSequences) {
        const start = part.trainTokens + left * this.#options.sequenceLength;
        return part.tokens.read(start, this.#sequenceTokens);
      }
      left -= part.validationSequences;
    }
    throw new CriaError('INTERNAL', `validation sequence ${index} lies in no source`);
  }

  /** Where sequence `index` of the run lies. */
  async locate(index: number): Promise<SequencePlace> {
    const { source, pass, startToken } = this.#startOf(index);
    const { tokens } = this.#parts[source];
    const endToken = startToken + this.#sequenceTokens;
    return {
      source,
      path: tokens.directory,
      pass,
      startToken,
      endToken,
      document: await tokens.documentAt(startToken),
      lastDocument: await tokens.documentAt(endToken - 1),
    };
  }

  /** The text of sequence `index` of the run. */
  async text(index: number): Promise<string> {
    return gpt2Tokenizer().decode(await this.trainSequence(index));
  }

  async close(): Promise<void> {
    for (const part of this.#parts) await part.tokens.close();
  }

  get #sequenceTokens(): number {
    return this.#options.sequenceLength + 1;
  }

  #startOf(index: number): { source: number; pass: number; startToken: number } {
    const { source, draw } = this.#mixture.placeOf(index);
    const size = this.#parts[source].trainSequences;
    const pass = Math.floor(draw / size);
    const { order, seed, sequenceLength } = this.#options;
    const inOrder = draw % size;
    const sequence =
      order === 'sequential' ? inOrder : permute(permutationKey(seed, source, pass), size, inOrder);
    return { source, pass, startToken: sequence * sequenceLength };
  }
}

/**
 * Opens the token directories of a run.
 *
 * Cost: some reads of a few bytes each; memory does not depend on the corpus. Payload hashes are not compared: see
 * `verifyTokens`.
 * Errors: as `TokenSource.open`; CONFIG_INVALID for weights, DATA_EMPTY for a source too small for one sequence.
 */
export async function openDataset(options: DatasetOptions): Promise<Dataset> {
  assert(Number.isSafeInteger(options.sequenceLength) && options.sequenceLength > 0, 'sequences have tokens');
  const { validationFraction } = options;
  assert(validationFraction >= 0 && validationFraction < 1, 'the validation fraction lies in [0, 1)');
  if (options.sources.length === 0) {
    throw new CriaError('CONFIG_INVALID', 'data.train is empty: name at least one token directory.');
  }
  const opened: TokenSource[] = [];
  try {
    const parts: Part[] = [];
    for (const { path } of options.sources) {
      const tokens = await TokenSource.open(path);
      opened.push(tokens);
      parts.push(await partOf(tokens, options));
    }
    return new Dataset(options, parts);
  } catch (error) {
    for (const source of opened) await source.close();
    throw error;
  }
}

async function partOf(tokens: TokenSource, options: DatasetOptions): Promise<Part> {
  const split = await splitSource(tokens, options);
  return {
    tokens,
    ...split,
    trainSequences: sequencesIn(split.trainTokens, options.sequenceLength),
    validationSequences: sequencesIn(split.validationTokens, options.sequenceLength),
  };
}

/** Sequences overlap by one token: the last target of one is the first input of the next. */
function sequencesIn(tokens: number, sequenceLength: number): number {
  return Math.max(0, Math.floor((tokens - 1) / sequenceLength));
}

function fingerprintOf(options: DatasetOptions, parts: readonly Part[]): string {
  const sources = parts.map(({ tokens: { header } }, source) => [
    header.tokenizerId,
    header.sha256,
    header.documentsSha256,
    options.sources[source].weight,
  ]);
  return createHash('sha256').update(JSON.stringify(sources)).digest('hex');
}

function sumOf(parts: readonly Part[], value: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + value(part), 0);
}
