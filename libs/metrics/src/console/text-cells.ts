// How many cells of a terminal a text takes: most characters one, East Asian ones and emoji two, combining marks none.

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NO_CELL = /\p{M}/u;

export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text) cells += cellsOfCharacter(character);
  return cells;
}

/** The text in at most `cells` cells; what is cut ends with `ellipsis` (one cell). */
export function cutTo(text: string, cells: number, ellipsis: string): string {
  if (cellsOf(text) <= cells) return text;
  if (cells < 1) return '';
  let kept = '';
  let used = 0;
  for (const character of text) {
    used += cellsOfCharacter(character);
    if (used > cells - 1) break;
    kept += character;
  }
  return kept + ellipsis;
}

/** Cut or padded on the right to exactly `cells` cells. */
export function fitLeft(text: string, cells: number, ellipsis: string): string {
  const cut = cutTo(text, cells, ellipsis);
  return cut + ' '.repeat(Math.max(0, cells - cellsOf(cut)));
}

/** Cut or padded on the left to exactly `cells` cells. */
export function fitRight(text: string, cells: number, ellipsis: string): string {
  const cut = cutTo(text, cells, ellipsis);
  return ' '.repeat(Math.max(0, cells - cellsOf(cut))) + cut;
}

function cellsOfCharacter(character: string): number {
  // Nearly all text is ASCII.
  if (character <= '~') return 1;
  if (NO_CELL.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
