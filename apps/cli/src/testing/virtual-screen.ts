// What a terminal shows after the bytes that a program wrote: enough of a VT100 for tests. A sequence that is not known
// here is an error, so that nothing but these few is ever written.

export class VirtualScreen {
  columns: number;
  rows: number;
  alternate = false;
  cursorShown = true;
  #lines: string[][] = [];
  #row = 0;
  #column = 0;
  #rest = '';
  /** Clears until the program knows the new size: stty sets columns and rows one after the other. */
  #clearsToCome = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#clear();
  }

  write(bytes: string): void {
    let text = this.#rest + bytes;
    this.#rest = '';
    while (text !== '') {
      // A sequence whose end has not come yet waits for it.
      if (/^\u001b(\[[?\d;]*)?$/.test(text)) {
        this.#rest = text;
        return;
      }
      const sequence = /^\u001b\[[?\d;]*[A-Za-z]/.exec(text)?.[0];
      if (sequence !== undefined) this.#obey(sequence);
      else this.#put([...text][0] ?? '');
      text = text.slice(sequence?.length ?? [...text][0]?.length ?? 1);
    }
  }

  resize(columns: number, rows: number): void {
    [this.columns, this.rows] = [columns, rows];
    this.#clear();
    this.#clearsToCome = 2;
  }

  lines(): string[] {
    return this.#lines.map((cells) => cells.join('').trimEnd());
  }

  text(): string {
    return this.lines().join('\n');
  }

  #obey(sequence: string): void {
    const place = /^\u001b\[(\d+);(\d+)H$/.exec(sequence);
    if (place !== null) [this.#row, this.#column] = [Number(place[1]) - 1, Number(place[2]) - 1];
    else if (sequence === '\u001b[2J') this.#clear();
    else if (sequence === '\u001b[K') this.#lines[this.#row]?.fill(' ', this.#column);
    else if (sequence === '\u001b[?1049h') this.alternate = true;
    else if (sequence === '\u001b[?1049l') this.alternate = false;
    else if (sequence === '\u001b[?25h') this.cursorShown = true;
    else if (sequence === '\u001b[?25l') this.cursorShown = false;
    else if (!/^\u001b\[[\d;]*m$/.test(sequence))
      throw new Error(`unknown sequence ${JSON.stringify(sequence)}`);
  }

  #put(character: string): void {
    if (character === '\n') this.#row++;
    else if (character === '\r') this.#column = 0;
    else if (character < ' ') throw new Error(`control character ${JSON.stringify(character)}`);
    else {
      const isBeyond = this.#row >= this.rows || this.#column >= this.columns;
      if (isBeyond && this.alternate && this.#clearsToCome <= 0) {
        throw new Error(
          `"${character}" is written beyond the screen, at ${this.#row + 1};${this.#column + 1}`,
        );
      }
      const line = this.#lines[this.#row];
      if (line !== undefined && !isBeyond) line[this.#column] = character;
      this.#column++;
    }
  }

  #clear(): void {
    this.#clearsToCome--;
    this.#lines = Array.from({ length: this.rows }, () => new Array<string>(this.columns).fill(' '));
  }
}
