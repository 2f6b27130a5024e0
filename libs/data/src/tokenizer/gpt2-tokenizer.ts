// GPT-2's tokenizer over the published vocabulary. Our own, because on one core it encodes real text at four times the speed of
// tiktoken's Rust and eight times that of its WebAssembly (which is quadratic in runs without white space), and because the
// pure JavaScript packages read U+FEFF otherwise than OpenAI's. tiktoken is the oracle of the tests.
import { MergeTable, PieceMerger } from './byte-pair-merge.js';
import { GPT2_END_OF_TEXT, GPT2_TOKENIZER_ID, GPT2_VOCAB_SIZE, gpt2Vocabulary } from './gpt2-vocabulary.js';
import type { Gpt2Vocabulary } from './gpt2-vocabulary.js';
import { lastSafeCut, pieceEnd } from './gpt2-pieces.js';
import { PieceCache, UNKNOWN_PIECE } from './piece-cache.js';
import type { Tokenizer, TokenStreamDecoder } from './tokenizer.js';

/** A UTF-16 unit is at most three bytes of UTF-8, and a token at least one byte. */
const TOKENS_PER_UNIT_MAX = 3;

const UNKNOWN_ID_BYTES = new TextEncoder().encode('\ufffd');

let shared: Gpt2Tokenizer | null = null;

/** The GPT-2 tokenizer; one instance a process, holding about 15 MB. */
export function gpt2Tokenizer(): Tokenizer {
  shared ??= new Gpt2Tokenizer(gpt2Vocabulary());
  return shared;
}

/** Use {@link gpt2Tokenizer}. */
export class Gpt2Tokenizer implements Tokenizer {
  readonly id = GPT2_TOKENIZER_ID;
  readonly vocabSize = GPT2_VOCAB_SIZE;
  readonly endOfText = GPT2_END_OF_TEXT;
  readonly #vocabulary: Gpt2Vocabulary;
  readonly #merger: PieceMerger;
  readonly #cache = new PieceCache();
  readonly #encoder = new TextEncoder();
  #scratch = new Uint16Array(65_536);

  constructor(vocabulary: Gpt2Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#merger = new PieceMerger(new MergeTable(vocabulary));
  }

  encode(text: string): Uint16Array {
    const count = this.#encodeToScratch(text); // may replace the scratch array
    return this.#scratch.slice(0, count);
  }

  tokenCount(text: string): number {
    return this.#encodeToScratch(text);
  }

  decode(ids: ArrayLike<number>): string {
    let sizeBytes = 0;
    for (let at = 0; at < ids.length; at++) sizeBytes += this.#bytesOf(ids[at]).length;
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0, position = 0; at < ids.length; at++) {
      const token = this.#bytesOf(ids[at]);
      bytes.set(token, position);
      position += token.length;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  }

  streamDecoder(): TokenStreamDecoder {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => decoder.decode(this.#bytesOf(id), { stream: true }),
      end: () => decoder.decode(),
    };
  }

  lastSafeCut(text: string): number {
    return lastSafeCut(text);
  }

  #bytesOf(id: number): Uint8Array {
    return this.#vocabulary.bytesOfId[id] ?? UNKNOWN_ID_BYTES;
  }

  /** Writes the ids to the scratch array and returns how many they are. */
  #encodeToScratch(text: string): number {
    if (this.#scratch.length < text.length * TOKENS_PER_UNIT_MAX) {
      this.#scratch = new Uint16Array(text.length * TOKENS_PER_UNIT_MAX);
    }
    const scratch = this.#scratch;
    let count = 0;
    for (let start = 0; start < text.length;) {
      const end = pieceEnd(text, start);
      const piece = this.#cache.find(text, start, end);
      count +=
        piece === UNKNOWN_PIECE
          ? this.#mergePiece(text.slice(start, end), count)
          : this.#cache.copyTokens(piece, scratch, count);
      start = end;
    }
    return count;
  }

  /** Writes the tokens of a piece that the cache has not found to the scratch array; returns how many they are. */
  #mergePiece(piece: string, position: number): number {
    const { idOfByte } = this.#vocabulary;
    const bytes = this.#encoder.encode(piece);
    const ids = this.#scratch.subarray(position, position + bytes.length);
    for (let at = 0; at < bytes.length; at++) ids[at] = idOfByte[bytes[at]];
    const count = this.#merger.merge(ids, bytes.length);
    this.#cache.remember(ids.subarray(0, count));
    return count;
  }
}
