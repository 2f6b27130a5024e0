// What a tokenizer is to the rest of Cria. Encoding is always "ordinary": text cannot spell a special token.

export interface Tokenizer {
  /** Stands in the header of every token file; `gpt2` is the only one. */
  readonly id: string;
  /** Token ids are 0 .. vocabSize-1. */
  readonly vocabSize: number;
  /** Id of the token that ends a document; `encode` never returns it. */
  readonly endOfText: number;
  /** Ids of the text; `<|endoftext|>` in it is seven tokens like any other text. Lone surrogates become U+FFFD. */
  encode(text: string): Uint16Array;
  /** Number of ids that `encode` would return. */
  tokenCount(text: string): number;
  /**
   * Text of the ids; `endOfText` gives `<|endoftext|>`. Bytes that are not UTF-8 (a character cut apart at either
   * end) and ids beyond the vocabulary (the padding rows of an embedding) give U+FFFD.
   */
  decode(ids: ArrayLike<number>): string;
  /** A decoder for text that arrives token by token. */
  streamDecoder(): TokenStreamDecoder;
  /**
   * The last place (index in UTF-16 units) at which the text may be cut in two without changing its tokens,
   * whatever comes after the text; 0 if there is none.
   */
  lastSafeCut(text: string): number;
}

/** Holds back the bytes of a character until its last token has come. */
export interface TokenStreamDecoder {
  /** Text that this token completes; often the empty string inside a multi-byte character. */
  push(id: number): string;
  /** What is left: U+FFFD for a character whose end never came. */
  end(): string;
}
