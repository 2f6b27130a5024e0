// A run in a terminal: one line per step, and below them, on a terminal, a progress bar that is drawn over. Anywhere
// else (a pipe, a CI log) only the lines, without a single control character.
import { COLOURS, NO_COLOURS, formatDuration, formatStepLine } from './step-line.js';
import type { Paint } from './step-line.js';
import { remainingMs } from './pace.js';
import type { RunEvent } from './run-event.js';
import type { StepMetrics } from './step-metrics.js';

/** The part of a terminal stream that is used; `process.stdout` is one. */
export interface ConsoleStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ConsoleOptions {
  readonly stream: ConsoleStream;
  /** The run's budget in steps. */
  readonly steps: number;
  /** `process.env`; NO_COLOR (any value but an empty one) turns colours off, TERM=dumb the bar too. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const CLEAR_LINE = '\r\u001b[K';
const PACE_ROWS = 64;
const MAX_BAR_CELLS = 40;

export class ConsoleReporter {
  readonly #stream: ConsoleStream;
  readonly #steps: number;
  readonly #paint: Paint;
  readonly #live: boolean;
  readonly #recent: StepMetrics[] = [];
  #note = '';

  constructor(options: ConsoleOptions) {
    this.#stream = options.stream;
    this.#steps = options.steps;
    this.#live = options.stream.isTTY === true && options.env.TERM !== 'dumb';
    this.#paint = this.#live && !options.env.NO_COLOR ? COLOURS : NO_COLOURS;
  }

  step(row: StepMetrics): void {
    this.#recent.push(row);
    if (this.#recent.length > PACE_ROWS) this.#recent.shift();
    this.line(formatStepLine(row, this.#steps, this.#paint));
  }

  event(event: RunEvent): void {
    this.line(this.#paint.warn(`· ${printable(event.text)}`));
  }

  /** A line of the caller's own, above the bar. */
  line(text: string): void {
    this.#stream.write(this.#live ? `${CLEAR_LINE}${text}\n${this.#bar()}` : `${text}\n`);
  }

  /** What stands beside the bar (the dashboard's address, what the run waits for). */
  note(text: string): void {
    this.#note = printable(text);
    if (this.#live) this.#stream.write(`${CLEAR_LINE}${this.#bar()}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#live) this.#stream.write(CLEAR_LINE);
  }

  #bar(): string {
    const latest = this.#recent.at(-1);
    if (latest === undefined || this.#steps <= 0) return this.#note;
    const share = Math.min(1, (latest.step + 1) / this.#steps);
    const etaMs = remainingMs(this.#recent[0] ?? latest, latest, this.#steps);
    const columns = this.#stream.columns ?? 80;
    const eta = etaMs === null ? '' : ` ${formatDuration(etaMs)} left`;
    const tail = ` ${(share * 100).toFixed(1)}%${eta}${this.#note === '' ? '' : `  ${this.#note}`}`;
    const cells = Math.min(MAX_BAR_CELLS, columns - 1 - tail.length);
    const drawn = cells < 8 ? tail.trimStart() : `${drawBar(share, cells, this.#paint)}${tail}`;
    return cells < 8 ? drawn.slice(0, Math.max(0, columns - 1)) : drawn;
  }
}

function drawBar(share: number, cells: number, paint: Paint): string {
  const full = Math.round(share * cells);
  return paint.good('━'.repeat(full)) + paint.dim('─'.repeat(cells - full));
}

/** Names in a sentence come from others: nothing in them may move the cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
