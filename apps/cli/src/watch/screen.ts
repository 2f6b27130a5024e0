// The terminal while the view owns it: alternate screen, no cursor, keys one by one. However the process ends (a signal, an
// exception, quitting), the terminal is given back as it was; only kill -9 cannot be helped.
import { writeSync } from 'node:fs';
import { emitKeypressEvents, type Key } from 'node:readline';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[0m\u001b[?25h\u001b[?1049l';
const CLEAR = '\u001b[2J';
const CLEAR_TO_END = '\u001b[K';

/** `process.stdout` is one. */
export type TerminalOutput = NodeJS.WriteStream & { readonly fd: number };

export interface ScreenEvents {
  /** `q`, `left`, `ctrl-c`; what has no name is its own character. */
  readonly onKey: (name: string) => void;
  readonly onResize: () => void;
}

export class Screen {
  readonly #input: NodeJS.ReadStream;
  readonly #output: TerminalOutput;
  readonly #events: ScreenEvents;
  #entered = false;
  /** What stands on the screen, row by row. */
  #drawn: readonly string[] = [];

  readonly #onExit = (): void => this.leave();
  readonly #onKeypress = (_: string | undefined, key: Key): void => this.#events.onKey(nameOf(key));
  readonly #onResize = (): void => {
    this.clear();
    this.#events.onResize();
  };

  constructor(input: NodeJS.ReadStream, output: TerminalOutput, events: ScreenEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
  }

  get size(): { columns: number; rows: number } {
    // A terminal that does not know its size says 0.
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 };
  }

  enter(): void {
    if (this.#entered) return;
    this.#entered = true;
    process.on('exit', this.#onExit);
    emitKeypressEvents(this.#input);
    this.#input.on('keypress', this.#onKeypress);
    this.#output.on('resize', this.#onResize);
    this.#input.setRawMode(true);
    this.#input.resume();
    this.#write(ENTER);
    this.#drawn = [];
  }

  /** Synchronous, so that it also works while the process ends. */
  leave(): void {
    if (!this.#entered) return;
    this.#entered = false;
    process.off('exit', this.#onExit);
    this.#input.off('keypress', this.#onKeypress);
    this.#output.off('resize', this.#onResize);
    this.#write(LEAVE);
    try {
      this.#input.setRawMode(false);
      this.#input.pause();
    } catch {
      // The terminal is gone (its window was closed): nobody is left to be given it back.
    }
  }

  /** The next draw writes every row. */
  clear(): void {
    if (this.#entered) this.#write(CLEAR);
    this.#drawn = [];
  }

  /** Writes the rows that have changed. */
  draw(lines: readonly string[]): void {
    if (!this.#entered) return;
    const rows = lines.slice(0, this.size.rows);
    const changed = Array.from({ length: Math.max(rows.length, this.#drawn.length) }, (_, row) =>
      rows[row] === this.#drawn[row] ? '' : `\u001b[${row + 1};1H${rows[row] ?? ''}${CLEAR_TO_END}`,
    ).join('');
    this.#drawn = rows;
    if (changed !== '') this.#write(changed);
  }

  #write(text: string): void {
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length;) done += writeSync(this.#output.fd, bytes, done);
    } catch {
      // As above; the signal that comes with it ends the process.
    }
  }
}

function nameOf(key: Key): string {
  const name = key.name ?? key.sequence ?? '';
  return key.ctrl === true ? `ctrl-${name}` : name;
}
