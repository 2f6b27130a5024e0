// Dots in a terminal: a braille character is two dots wide and four high, so a chart of 70 x 10 cells has 140 x 40 dots.
// Without UTF-8 a cell is one dot, and its character says to which layer it belongs.
import type { Ink, Line, Span } from './ink.js';

export interface Layer {
  readonly ink: Ink;
  /** Its dot where there is no braille. */
  readonly ascii: string;
}

/** Bits of a braille character (U+2800 + bits) by column and row, as Unicode numbers them. */
const BRAILLE_BITS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
const BRAILLE_BASE = 0x2800;

export class Canvas {
  readonly widthDots: number;
  readonly heightDots: number;
  readonly #width: number;
  readonly #height: number;
  readonly #dotsX: number;
  readonly #dotsY: number;
  readonly #unicode: boolean;
  readonly #bits: Uint8Array;
  /** Per cell the layer drawn last, which colours it. */
  readonly #layers: Array<Layer | undefined>;

  /** @param size in cells */
  constructor(size: { width: number; height: number; unicode: boolean }) {
    this.#unicode = size.unicode;
    [this.#dotsX, this.#dotsY] = size.unicode ? [2, 4] : [1, 1];
    this.#width = Math.max(0, size.width);
    this.#height = Math.max(0, size.height);
    this.widthDots = this.#width * this.#dotsX;
    this.heightDots = this.#height * this.#dotsY;
    this.#bits = new Uint8Array(this.#width * this.#height);
    this.#layers = new Array<Layer | undefined>(this.#width * this.#height).fill(undefined);
  }

  /** Dot (0, 0) is the upper left one; those outside are left out. */
  dot(x: number, y: number, layer: Layer): void {
    if (!(x >= 0 && x < this.widthDots && y >= 0 && y < this.heightDots)) return;
    const cell = Math.floor(y / this.#dotsY) * this.#width + Math.floor(x / this.#dotsX);
    const bit = this.#unicode ? BRAILLE_BITS[x % 2 === 0 ? 0 : 1][y % 4] : 1;
    this.#bits[cell] = (this.#bits[cell] ?? 0) | (bit ?? 0);
    this.#layers[cell] = layer;
  }

  /** A straight line of dots (Bresenham's). */
  line(from: { x: number; y: number }, to: { x: number; y: number }, layer: Layer): void {
    const [dx, dy] = [Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
    const [stepX, stepY] = [Math.sign(to.x - from.x), Math.sign(to.y - from.y)];
    let { x, y } = from;
    let error = dx - dy;
    for (let left = dx + dy + 1; left > 0; left--) {
      this.dot(x, y, layer);
      if (x === to.x && y === to.y) return;
      const doubled = 2 * error;
      if (doubled > -dy) [error, x] = [error - dy, x + stepX];
      if (doubled < dx) [error, y] = [error + dx, y + stepY];
    }
  }

  /** From the upper row down. */
  rows(): Line[] {
    return Array.from({ length: this.#height }, (_, row) => this.#row(row));
  }

  #row(row: number): Line {
    const spans: Span[] = [];
    for (let column = 0; column < this.#width; column++) {
      const layer = this.#layers[row * this.#width + column];
      const bits = this.#bits[row * this.#width + column] ?? 0;
      const dots = this.#unicode ? String.fromCodePoint(BRAILLE_BASE + bits) : (layer?.ascii ?? ' ');
      const text = layer === undefined ? ' ' : dots;
      const ink = layer?.ink ?? 'plain';
      const last = spans.at(-1);
      if (last !== undefined && last.ink === ink) spans[spans.length - 1] = { text: last.text + text, ink };
      else spans.push({ text, ink });
    }
    return spans;
  }
}
