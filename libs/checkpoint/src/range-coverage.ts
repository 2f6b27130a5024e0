// Which elements have been written: parts come from several workers in any order, and each element
// has to come exactly once.

export interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly end: number;
}

export class RangeCoverage {
  readonly #size: number;
  /** Ascending, disjoint, not touching. */
  #covered: Range[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Takes a range. Returns an already covered piece of it, and takes nothing, when there is one. */
  claim({ from, end }: Range): Range | null {
    const overlap = this.#covered.find((range) => range.from < end && from < range.end);
    if (overlap !== undefined && from < end) {
      return { from: Math.max(from, overlap.from), end: Math.min(end, overlap.end) };
    }
    if (from >= end) return null;
    const before = this.#covered.filter((range) => range.end < from);
    const after = this.#covered.filter((range) => range.from > end);
    const touching = this.#covered.filter((range) => range.end === from || range.from === end);
    const merged = {
      from: Math.min(from, ...touching.map((range) => range.from)),
      end: Math.max(end, ...touching.map((range) => range.end)),
    };
    this.#covered = [...before, merged, ...after];
    return null;
  }

  /** What has not been claimed, ascending. */
  missing(): Range[] {
    const gaps: Range[] = [];
    let end = 0;
    for (const range of [...this.#covered, { from: this.#size, end: this.#size }]) {
      if (range.from > end) gaps.push({ from: end, end: range.from });
      end = range.end;
    }
    return gaps;
  }
}
