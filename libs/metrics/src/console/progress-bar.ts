// The progress bar below the lines: share, time left, and a note.
import { formatDuration } from './numbers.js';
import { cellsOf, cutTo } from './text-cells.js';
import type { TerminalStyle } from './terminal-style.js';

const MAX_CELLS = 40;
const MIN_CELLS = 8;

export interface Progress {
  /** 0 to 1 */
  readonly share: number;
  readonly remainingMs: number | null;
  /** Printable. */
  readonly note: string;
}

/** At most `width` cells: `━━━━━━━━━━────── 25.0%  1 h 15 min left  note` */
export function drawBar(progress: Progress, width: number, { paint, glyphs }: TerminalStyle): string {
  const { share, remainingMs, note } = progress;
  const eta = remainingMs === null ? '' : `  ${formatDuration(remainingMs)} left`;
  const tail = `${(share * 100).toFixed(1).padStart(5)}%${eta}${note === '' ? '' : `  ${note}`}`;
  const cells = Math.min(MAX_CELLS, width - 1 - cellsOf(tail));
  if (cells < MIN_CELLS) return cutTo(tail.trimStart(), Math.max(1, width), glyphs.ellipsis);
  const done = Math.floor(share * cells);
  const bar = paint.good(glyphs.barDone.repeat(done)) + paint.dim(glyphs.barLeft.repeat(cells - done));
  return `${bar} ${tail}`;
}
