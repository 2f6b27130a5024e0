// The one line that a step is worth in a terminal. Every number has its column, whose width only ever grows, so that the
// eye can run down it; a narrow terminal has fewer columns, never broken lines. What is out of the ordinary and has no
// column (a validation, a skipped step) follows as notes.
import type { StepMetrics } from '../step-metrics.js';
import { formatCount, formatLoss, formatNorm, formatRate, formatShortTime } from './numbers.js';
import { cellsOf } from './text-cells.js';
import { NO_COLOURS } from './terminal-style.js';
import type { Paint } from './terminal-style.js';

const GAP = '  ';

interface Column {
  /** The lower, the longer it stays as the terminal gets narrower. */
  readonly rank: number;
  readonly text: string;
  readonly paint: (text: string) => string;
}

interface Note {
  readonly text: string;
  readonly paint: (text: string) => string;
}

export class StepLines {
  readonly #steps: number;
  readonly #paint: Paint;
  readonly #widths = new Map<string, number>();
  #knowsMfu = false;

  /** @param steps the budget */
  constructor(steps: number, paint: Paint = NO_COLOURS) {
    this.#steps = steps;
    this.#paint = paint;
  }

  /**
   * `step  12/200  loss  9.8123  norm  1.31  lr 6.50e-4  18.2k tok/s  2 workers  1 attempt   lost   0 ms`
   *
   * @param width cells of the terminal; Infinity where lines have no end
   * @returns one line; a second one only when notes do not fit behind the first
   */
  format(row: StepMetrics, width = Infinity): string[] {
    this.#knowsMfu ||= row.mfu !== null;
    const columns = fitting(this.#columns(row), width);
    const notes = this.#notes(row, columns.length === this.#columnCount());
    const line = columns.map(({ text, paint }) => paint(text)).join(GAP);
    if (notes.length === 0) return [line];
    const cells = columns.reduce((sum, { text }) => sum + cellsOf(text) + GAP.length, 0);
    const behind = notes.reduce((sum, { text }) => sum + cellsOf(text) + GAP.length, -GAP.length);
    const painted = notes.map(({ text, paint }) => paint(text)).join(GAP);
    if (cells + behind <= width) return [line + GAP + painted];
    const indent = Math.min(`step ${this.#count(0)}`.length + GAP.length, Math.max(0, width - behind));
    return [line, ' '.repeat(indent) + painted];
  }

  #columnCount(): number {
    return this.#knowsMfu ? 9 : 8;
  }

  #count(step: number): string {
    return `${String(step).padStart(String(this.#steps).length)}/${this.#steps}`;
  }

  #columns(row: StepMetrics): Column[] {
    const { bold, dim, warn } = this.#paint;
    const plain = (text: string): string => text;
    const { loss, gradNorm, attempts, lostMs, workers } = row;
    const mfu = row.mfu === null ? '-' : `${(row.mfu * 100).toFixed(1)}%`;
    return [
      { rank: 0, text: `step ${this.#count(row.step + 1)}`, paint: dim },
      {
        rank: 1,
        text: `loss ${this.#padded('loss', loss, formatLoss, 7)}`,
        paint: loss === null ? warn : bold,
      },
      { rank: 4, text: `norm ${this.#padded('norm', gradNorm, formatNorm, 5)}`, paint: plain },
      { rank: 6, text: `lr ${this.#padded('lr', row.lr, formatRate, 7)}`, paint: dim },
      { rank: 2, text: `${this.#padded('speed', row.tokensPerSecond, formatCount, 5)} tok/s`, paint: plain },
      ...(this.#knowsMfu ? [{ rank: 5, text: `mfu ${mfu.padStart(5)}`, paint: plain }] : []),
      { rank: 3, text: this.#counted('worker', workers), paint: dim },
      { rank: 7, text: this.#counted('attempt', attempts), paint: attempts > 1 ? warn : dim },
      {
        rank: 8,
        text: `lost ${this.#padded('lost', lostMs, formatShortTime, 6)}`,
        paint: lostMs > 0 ? warn : dim,
      },
    ];
  }

  /** @param complete every column is shown: attempts and lost time need no note */
  #notes(row: StepMetrics, complete: boolean): Note[] {
    const { good, warn } = this.#paint;
    const { attempts, lostMs, verdict, valLoss } = row;
    const notes: Note[] = [];
    if (valLoss !== undefined) {
      notes.push({ text: `val ${valLoss === null ? 'not finite' : formatLoss(valLoss)}`, paint: good });
    }
    const notFinite = [...(row.loss === null ? ['loss'] : []), ...(row.gradNorm === null ? ['norm'] : [])];
    if (notFinite.length > 0) notes.push({ text: `${notFinite.join(' and ')} not finite`, paint: warn });
    if (verdict !== 'use') {
      notes.push({ text: verdict === 'skip' ? 'skipped' : 'stopped the run', paint: warn });
    }
    if (complete) return notes;
    if (attempts > 1) notes.push({ text: `${attempts} attempts`, paint: warn });
    if (lostMs > 0) notes.push({ text: `lost ${formatShortTime(lostMs)}`, paint: warn });
    return notes;
  }

  /** The number in its column, at least `width` wide and as wide as it ever was; `-` for what is not finite. */
  #padded(name: string, value: number | null, format: (value: number) => string, width: number): string {
    const text = value === null ? '-' : format(value);
    const widest = Math.max(width, this.#widths.get(name) ?? 0, text.length);
    this.#widths.set(name, widest);
    return text.padStart(widest);
  }

  #counted(noun: string, count: number): string {
    return `${this.#padded(noun, count, String, 1)} ${noun}${count === 1 ? ' ' : 's'}`;
  }
}

/** The columns of the lowest ranks that fit; where not even two do, bare numbers. */
function fitting(columns: readonly Column[], width: number): Column[] {
  for (let count = columns.length; count >= 2; count--) {
    const ranks = columns.map(({ rank }) => rank).sort((a, b) => a - b);
    const kept = columns.filter(({ rank }) => rank <= (ranks[count - 1] ?? 0));
    const cells = kept.reduce((sum, { text }) => sum + cellsOf(text) + GAP.length, -GAP.length);
    if (cells <= width) return kept;
  }
  const bare = (text: string): string => text.replace(/^\w+ +/, '').replace(/\/\d+$/, '');
  return columns.filter(({ rank }) => rank < 2).map((column) => ({ ...column, text: bare(column.text) }));
}
