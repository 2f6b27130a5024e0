// A screen as data: lines of spans, each with its ink, so that layout knows nothing of escape sequences and a line is cut
// by cells, never in the middle of a sequence.
import { cellsOf, cutTo, type TerminalStyle } from '@cria/metrics';

export type Ink = 'plain' | 'bold' | 'dim' | 'good' | 'warn' | 'bad' | 'curve' | 'bar';

export interface Span {
  readonly text: string;
  readonly ink: Ink;
}

export type Line = readonly Span[];

export function span(text: string, ink: Ink = 'plain'): Span {
  return { text, ink };
}

export function cellsOfLine(line: Line): number {
  return line.reduce((sum, { text }) => sum + cellsOf(text), 0);
}

/** At most `width` cells; what is cut ends with an ellipsis. */
export function cutLine(line: Line, width: number, ellipsis: string): Line {
  if (cellsOfLine(line) <= width) return line;
  const kept: Span[] = [];
  let left = width;
  for (const { text, ink } of line) {
    const cells = cellsOf(text);
    const isLast = cells >= left;
    kept.push({ text: isLast ? cutTo(`${text} `, left, ellipsis) : text, ink });
    left -= cells;
    if (isLast) break;
  }
  return kept;
}

/** `left` and `right` at the two ends of `width` cells; the right one goes when there is no room for both. */
export function spread(left: Line, right: Line, width: number): Line {
  const gap = width - cellsOfLine(left) - cellsOfLine(right);
  return gap < 1 ? left : [...left, span(' '.repeat(gap)), ...right];
}

const CODES: Readonly<Record<Ink, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '1;31',
  curve: '1;36',
  bar: '32',
};

/** The line as it is written: painted, and cut to `width` cells. */
export function render(line: Line, width: number, style: TerminalStyle, colours: boolean): string {
  return cutLine(line, width, style.glyphs.ellipsis)
    .map(({ text, ink }) => (colours && CODES[ink] !== '' ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text))
    .join('');
}
