// A run in a terminal: one line per step, and below them, on a terminal, a progress bar that is drawn over. Anywhere
// else (a pipe, a CI log) only the lines, without a single control character.
import { remainingMs } from '../pace.js';
import type { RunEvent } from '../run-event.js';
import type { StepMetrics } from '../step-metrics.js';
import { formatEvent, printableIn } from './event-line.js';
import { drawBar } from './progress-bar.js';
import { StepLines } from './step-line.js';
import { cellsOf } from './text-cells.js';
import { terminalStyle } from './terminal-style.js';
import type { ConsoleStream, Environment, TerminalStyle } from './terminal-style.js';

export interface ConsoleOptions {
  readonly stream: ConsoleStream;
  /** The run's budget in steps. */
  readonly steps: number;
  /** `process.env` */
  readonly env: Environment;
}

const CLEAR_LINE = '\r\u001b[K';
const UP = '\u001b[A';
const CLEAR_BELOW = '\r\u001b[J';
const SGR = /\u001b\[[\d;]*m/g;
const PACE_ROWS = 64;
const DEFAULT_COLUMNS = 80;

export class ConsoleReporter {
  readonly #stream: ConsoleStream;
  readonly #steps: number;
  readonly #style: TerminalStyle;
  readonly #lines: StepLines;
  readonly #recent: StepMetrics[] = [];
  readonly #onResize = (): void => this.#redraw();
  #note = '';
  /** Cells of the bar as it stands there now. */
  #drawnCells = 0;

  constructor(options: ConsoleOptions) {
    this.#stream = options.stream;
    this.#steps = options.steps;
    this.#style = terminalStyle(options.stream, options.env);
    this.#lines = new StepLines(options.steps, this.#style.paint);
    if (this.#style.live) this.#stream.on?.('resize', this.#onResize);
  }

  step(row: StepMetrics): void {
    this.#recent.push(row);
    if (this.#recent.length > PACE_ROWS) this.#recent.shift();
    const width = this.#style.live ? this.#columns() : Infinity;
    this.#write(
      this.#lines
        .format(row, width)
        .map((line) => `${line}\n`)
        .join(''),
    );
  }

  event(event: RunEvent): void {
    this.#write(`${formatEvent(event, this.#style)}\n`);
  }

  /** A line of the caller's own, above the bar. */
  line(text: string): void {
    this.#write(`${text}\n`);
  }

  /** What stands beside the bar (that the run is paused, what it waits for). */
  note(text: string): void {
    const note = printableIn(this.#style)(text);
    if (note === this.#note) return;
    this.#note = note;
    if (this.#style.live) this.#write('');
  }

  /** Takes the bar away. */
  end(): void {
    this.#stream.off?.('resize', this.#onResize);
    if (this.#style.live) this.#stream.write(CLEAR_LINE);
  }

  #write(text: string): void {
    if (!this.#style.live) this.#stream.write(text);
    else this.#stream.write(`${CLEAR_LINE}${text}${this.#bar()}`);
  }

  /** A terminal that got narrower has broken the bar into several rows (nearly all of them do). */
  #redraw(): void {
    const rows = Math.max(1, Math.ceil(this.#drawnCells / this.#columns()));
    this.#stream.write(`${UP.repeat(rows - 1)}${CLEAR_BELOW}${this.#bar()}`);
  }

  #bar(): string {
    const width = this.#columns() - 1;
    const latest = this.#recent.at(-1);
    const progress = {
      share: latest === undefined ? 0 : Math.min(1, (latest.step + 1) / this.#steps),
      remainingMs: latest === undefined ? null : remainingMs(this.#recent[0] ?? latest, latest, this.#steps),
      note: this.#note,
    };
    const isEmpty = latest === undefined && this.#note === '';
    const bar = isEmpty || this.#steps <= 0 ? '' : drawBar(progress, width, this.#style);
    this.#drawnCells = cellsOf(bar.replace(SGR, ''));
    return bar;
  }

  #columns(): number {
    return this.#stream.columns ?? DEFAULT_COLUMNS;
  }
}
