// Remembers the tokens of pieces seen before: in real text nineteen of twenty pieces are. Keys are compared where they stand
// in the text; a Map would first make a string of every piece and hash that, which costs more than the rest of the encoder.

/** Rarely does a word have more; longer pieces would only fill the cache. */
const PIECE_UNITS_MAX = 32;
const PIECES_MAX = 131_072;
/** Places of the hash table: twice the pieces. */
const PLACES = 2 * PIECES_MAX;
const UNITS_MAX = 12 * PIECES_MAX;
const TOKENS_MAX = 6 * PIECES_MAX;

/** `find`'s answer for a piece that is not there. */
export const UNKNOWN_PIECE = -1;

/**
 * A bounded cache from pieces of text to tokens.
 *
 * Order:  find(); then copyTokens() of what it found, or remember() of what it did not find.
 * Bounds: about 9 MB of typed arrays; when one of them is full, everything is forgotten.
 */
export class PieceCache {
  /** Piece at each place of the table, found by its hash and the places after it. */
  readonly #pieceAt = new Int32Array(PLACES).fill(UNKNOWN_PIECE);
  readonly #hashes = new Int32Array(PIECES_MAX);
  /** Where each piece's units and tokens begin; they end where the next piece's begin. */
  readonly #unitStarts = new Uint32Array(PIECES_MAX + 1);
  readonly #tokenStarts = new Uint32Array(PIECES_MAX + 1);
  readonly #units = new Uint16Array(UNITS_MAX);
  readonly #tokens = new Uint16Array(TOKENS_MAX);
  #pieces = 0;
  /** What `find` was asked for last, and the place where it stands or would. */
  #wanted = '';
  #start = 0;
  #end = 0;
  #hash = 0;
  #place = 0;

  /** The piece text[start, end), or UNKNOWN_PIECE. */
  find(text: string, start: number, end: number): number {
    this.#wanted = text;
    this.#start = start;
    this.#end = end;
    if (end - start > PIECE_UNITS_MAX) return UNKNOWN_PIECE;
    this.#hash = hashOf(text, start, end);
    this.#place = this.#placeOfWanted();
    return this.#pieceAt[this.#place];
  }

  /** Copies the tokens of a piece to `out` at `position`; returns how many they are. */
  copyTokens(piece: number, out: Uint16Array, position: number): number {
    const from = this.#tokenStarts[piece];
    const count = this.#tokenStarts[piece + 1] - from;
    for (let at = 0; at < count; at++) out[position + at] = this.#tokens[from + at];
    return count;
  }

  /** Gives the piece that `find` has just not found its tokens. */
  remember(tokens: Uint16Array): void {
    const units = this.#end - this.#start;
    if (units > PIECE_UNITS_MAX) return;
    if (this.#isFull(units, tokens.length)) return this.#forget();
    const piece = this.#pieces++;
    const unitStart = this.#unitStarts[piece];
    const tokenStart = this.#tokenStarts[piece];
    this.#pieceAt[this.#place] = piece;
    this.#hashes[piece] = this.#hash;
    for (let at = 0; at < units; at++)
      this.#units[unitStart + at] = this.#wanted.charCodeAt(this.#start + at);
    this.#tokens.set(tokens, tokenStart);
    this.#unitStarts[piece + 1] = unitStart + units;
    this.#tokenStarts[piece + 1] = tokenStart + tokens.length;
  }

  #isFull(units: number, tokens: number): boolean {
    return (
      this.#pieces === PIECES_MAX ||
      this.#unitStarts[this.#pieces] + units > UNITS_MAX ||
      this.#tokenStarts[this.#pieces] + tokens > TOKENS_MAX
    );
  }

  #forget(): void {
    this.#pieceAt.fill(UNKNOWN_PIECE);
    this.#pieces = 0;
  }

  #placeOfWanted(): number {
    let place = this.#hash & (PLACES - 1);
    for (;;) {
      const piece = this.#pieceAt[place];
      if (piece === UNKNOWN_PIECE || this.#isWanted(piece)) return place;
      place = (place + 1) & (PLACES - 1);
    }
  }

  #isWanted(piece: number): boolean {
    if (this.#hashes[piece] !== this.#hash) return false;
    const from = this.#unitStarts[piece];
    const units = this.#end - this.#start;
    if (this.#unitStarts[piece + 1] - from !== units) return false;
    for (let at = 0; at < units; at++) {
      if (this.#units[from + at] !== this.#wanted.charCodeAt(this.#start + at)) return false;
    }
    return true;
  }
}

/** FNV-1a over UTF-16 units, its high bits folded down (the low ones alone mix poorly). */
function hashOf(text: string, start: number, end: number): number {
  let hash = 0x811c_9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return hash ^ (hash >>> 15);
}
