// GPT-2's tokenizer over the published vocabulary. Our own, because the packages are slower by a factor or differ: tiktoken's
// WebAssembly takes seconds for a long run without white space, and the pure JavaScript ones read U+0085 and U+FEFF
// otherwise. tiktoken is the oracle of the tests.
import { MergeTable, mergePiece } from './byte-pair-merge.js';
import { GPT2_END_OF_TEXT, GPT2_VOCAB_SIZE, gpt2Vocabulary } from './gpt2-vocabulary.js';
import type { Gpt2Vocabulary } from './gpt2-vocabulary.js';
import { lastSafeCut, pieceEnd } from './gpt2-pieces.js';
import type { Tokenizer, TokenStreamDecoder } from './tokenizer.js';

/** Few words are longer, and rare ones should not fill the cache. */
const CACHED_PIECE_UNITS_MAX = 32;
/** The cache is emptied when full: at most some 20 MB. */
const CACHED_PIECES_MAX = 131_072;
/** A UTF-16 unit is at most three bytes of UTF-8, and a token at least one byte. */
const TOKENS_PER_UNIT_MAX = 3;

const UNKNOWN_ID_BYTES = new TextEncoder().encode('\ufffd');

let shared: Gpt2Tokenizer | null = null;

/** The GPT-2 tokenizer; one instance a process, holding about 15 MB. */
export function gpt2Tokenizer(): Tokenizer {
  shared ??= new Gpt2Tokenizer(gpt2Vocabulary());
  return shared;
}

class Gpt2Tokenizer implements Tokenizer {
  readonly id = 'gpt2';
  readonly vocabSize = GPT2_VOCAB_SIZE;
  readonly endOfText = GPT2_END_OF_TEXT;
  readonly #vocabulary: Gpt2Vocabulary;
  readonly #table: MergeTable;
  readonly #cache = new Map<string, Uint16Array>();
  readonly #encoder = new TextEncoder();
  #scratch = new Uint16Array(65_536);

  constructor(vocabulary: Gpt2Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#table = new MergeTable(vocabulary);
  }

  encode(text: string): Uint16Array {
    const count = this.#encodeToScratch(text); // may replace the scratch array
    return this.#scratch.slice(0, count);
  }

  tokenCount(text: string): number {
    return this.#encodeToScratch(text);
  }

  decode(ids: ArrayLike<number>): string {
    const pieces = Array.from(ids, (id) => this.#bytesOf(id));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(pieces));
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
      const tokens = this.#tokensOf(text.slice(start, end));
      for (let at = 0; at < tokens.length; at++) scratch[count++] = tokens[at];
      start = end;
    }
    return count;
  }

  #tokensOf(piece: string): Uint16Array {
    const known = this.#cache.get(piece);
    if (known !== undefined) return known;
    const tokens = mergePiece(this.#table, this.#byteTokens(piece));
    if (piece.length <= CACHED_PIECE_UNITS_MAX) {
      if (this.#cache.size >= CACHED_PIECES_MAX) this.#cache.clear();
      this.#cache.set(piece, tokens);
    }
    return tokens;
  }

  #byteTokens(piece: string): Uint16Array {
    const { idOfByte } = this.#vocabulary;
    return Uint16Array.from(this.#encoder.encode(piece), (byte) => idOfByte[byte]);
  }
}
