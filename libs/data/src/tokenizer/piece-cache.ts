// Remembers the tokens of pieces seen before: in real text nineteen of twenty pieces are. Keys are compared where they stand
// in the text; a Map would first make a string of every piece and hash that, which costs more than the rest of the encoder.

/** Rarely does a word have more; longer pieces would only fill the cache. */
const PIECE_UNITS_MAX = 32;
const PIECES_MAX = 131_072;
/** Places of the hash table: twice the pieces. */
const PLACES = 2 * PIECES_MAX;
const UNITS_MAX = 12 * PIECES_MAX;
const TOKENS_MAX = 6 * PIECES_MAX;
const FREE = -1;

/** About 9 MB of typed arrays; when one of them is full, everything is forgotten. */
export class PieceCache {
  /** Piece at each place of the table, found by its hash and the places after it. */
  readonly #pieceAt = new Int32Array(PLACES).fill(FREE);
  readonly #hashes = new Int32Array(PIECES_MAX);
  /** Where each piece's units and tokens begin; they end where the next piece's begin. */
  readonly #unitStarts = new Uint32Array(PIECES_MAX + 1);
  readonly #tokenStarts = new Uint32Array(PIECES_MAX + 1);
  readonly #units = new Uint16Array(UNITS_MAX);
  readonly #tokens = new Uint16Array(TOKENS_MAX);
  #pieces = 0;

  /**
   * Copies the tokens of the piece text[start, end) to `out` at `position`.
   *
   * @returns how many they are; 0 if the piece is not known
   */
  copyTokens(text: string, start: number, end: number, out: Uint16Array, position: number): number {
    if (end - start > PIECE_UNITS_MAX) return 0;
    const piece = this.#pieceAt[this.#placeOf(hashOf(text, start, end), text, start, end)];
    if (piece === FREE) return 0;
    const from = this.#tokenStarts[piece];
    const count = this.#tokenStarts[piece + 1] - from;
    for (let at = 0; at < count; at++) out[position + at] = this.#tokens[from + at];
    return count;
  }

  /** Remembers that the piece text[start, end), not known so far, has the first `count` of `tokens`. */
  remember(text: string, start: number, end: number, tokens: Uint16Array, count: number): void {
    if (end - start > PIECE_UNITS_MAX) return;
    const unitStart = this.#unitStarts[this.#pieces];
    const tokenStart = this.#tokenStarts[this.#pieces];
    const isFull =
      this.#pieces === PIECES_MAX ||
      unitStart + PIECE_UNITS_MAX > UNITS_MAX ||
      tokenStart + count > TOKENS_MAX;
    if (isFull) {
      this.#pieceAt.fill(FREE);
      this.#pieces = 0;
      return;
    }
    const hash = hashOf(text, start, end);
    this.#pieceAt[this.#placeOf(hash, text, start, end)] = this.#pieces;
    this.#hashes[this.#pieces] = hash;
    for (let at = start; at < end; at++) this.#units[unitStart + at - start] = text.charCodeAt(at);
    for (let at = 0; at < count; at++) this.#tokens[tokenStart + at] = tokens[at];
    this.#pieces++;
    this.#unitStarts[this.#pieces] = unitStart + end - start;
    this.#tokenStarts[this.#pieces] = tokenStart + count;
  }

  /** Where the piece stands in the table, or the free place where it would. */
  #placeOf(hash: number, text: string, start: number, end: number): number {
    let place = hash & (PLACES - 1);
    for (;;) {
      const piece = this.#pieceAt[place];
      if (piece === FREE || (this.#hashes[piece] === hash && this.#isEqual(piece, text, start, end)))
        return place;
      place = (place + 1) & (PLACES - 1);
    }
  }

  #isEqual(piece: number, text: string, start: number, end: number): boolean {
    const from = this.#unitStarts[piece];
    if (this.#unitStarts[piece + 1] - from !== end - start) return false;
    for (let at = start; at < end; at++) {
      if (this.#units[from + at - start] !== text.charCodeAt(at)) return false;
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
