// Turns text parts into tokens. A document that comes in parts gives exactly the tokens that it would give as a whole: text
// is held back to the last place where cutting it changes nothing.
import { CriaError } from '@cria/runtime';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { TextPart } from './text-parts.js';

/** Where the tokens go; `TokenDirectoryWriter` is one. */
export interface TokenSink {
  append(ids: Uint16Array): Promise<void>;
  endDocument(): Promise<void>;
}

/** Text without a single safe cut in so many UTF-16 units is not text. */
const HELD_UNITS_MAX = 64 * 1024 * 1024;

export class DocumentEncoder {
  emptyDocuments = 0;
  textBytes = 0;
  readonly #tokenizer: Tokenizer;
  readonly #writer: TokenSink;
  #held = '';
  #hasText = false;

  constructor(tokenizer: Tokenizer, writer: TokenSink) {
    this.#tokenizer = tokenizer;
    this.#writer = writer;
  }

  /**
   * Takes the next part of the current document.
   *
   * @param place names the part in an error: a file
   */
  async take(part: TextPart, place: string): Promise<void> {
    const text = this.#held === '' ? part.text : this.#held + part.text;
    const cut = part.endsDocument ? text.length : this.#tokenizer.lastSafeCut(text);
    this.#held = text.slice(cut);
    if (cut > 0) await this.#encode(text.slice(0, cut));
    if (this.#held.length > HELD_UNITS_MAX) {
      throw new CriaError(
        'DATA_CORRUPT',
        `${place} has no white space in ${HELD_UNITS_MAX} characters: not text.`,
      );
    }
    if (part.endsDocument) await this.#endDocument();
  }

  async #encode(text: string): Promise<void> {
    this.#hasText = true;
    this.textBytes += Buffer.byteLength(text);
    await this.#writer.append(this.#tokenizer.encode(text));
  }

  async #endDocument(): Promise<void> {
    if (this.#hasText) await this.#writer.endDocument();
    else this.emptyDocuments++;
    this.#hasText = false;
  }
}
