// What a run of neighbouring steps looks like in one metric, and an array of such summaries packed into doubles (as
// objects they take three times the memory, and half a million steps have 30,000 of them per metric).

/** In memory NaN means "no value at this step" and +Infinity "a value that was not finite". */
export const NO_VALUE = Number.NaN;
export const NOT_FINITE = Number.POSITIVE_INFINITY;

/** min, max, sum and last are of the finite values; last is NaN when there is none. */
export interface Summary {
  min: number;
  max: number;
  sum: number;
  last: number;
  /** Finite values. */
  count: number;
  notFinite: number;
}

export function emptySummary(): Summary {
  return { min: Infinity, max: -Infinity, sum: 0, last: NO_VALUE, count: 0, notFinite: 0 };
}

/** Takes one more value into a summary. */
export function addValue(into: Summary, value: number): void {
  if (Number.isNaN(value)) return;
  if (!Number.isFinite(value)) {
    into.notFinite++;
    return;
  }
  into.min = Math.min(into.min, value);
  into.max = Math.max(into.max, value);
  into.sum += value;
  into.last = value;
  into.count++;
}

/** Takes the summary of later steps into one of earlier ones. */
export function addSummary(into: Summary, later: Summary): void {
  into.min = Math.min(into.min, later.min);
  into.max = Math.max(into.max, later.max);
  into.sum += later.sum;
  if (later.count > 0) into.last = later.last;
  into.count += later.count;
  into.notFinite += later.notFinite;
}

const FIELDS = 6;

export class SummaryArray {
  #packed = new Float64Array(16 * FIELDS);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The summary at `index`, an empty one past the end. */
  get(index: number): Summary {
    if (index >= this.#length) return emptySummary();
    const packed = this.#packed;
    const field = (offset: number): number => packed[index * FIELDS + offset] as number;
    return {
      min: field(0),
      max: field(1),
      sum: field(2),
      last: field(3),
      count: field(4),
      notFinite: field(5),
    };
  }

  /** Sets the summary at `index`; those skipped are empty. */
  set(index: number, summary: Summary): void {
    while (this.#length < index) this.#put(this.#length, emptySummary());
    this.#put(index, summary);
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  #put(index: number, { min, max, sum, last, count, notFinite }: Summary): void {
    const needed = (index + 1) * FIELDS;
    if (needed > this.#packed.length) {
      const grown = new Float64Array(Math.max(needed, this.#packed.length * 2));
      grown.set(this.#packed);
      this.#packed = grown;
    }
    const at = index * FIELDS;
    this.#packed[at] = min;
    this.#packed[at + 1] = max;
    this.#packed[at + 2] = sum;
    this.#packed[at + 3] = last;
    this.#packed[at + 4] = count;
    this.#packed[at + 5] = notFinite;
    this.#length = Math.max(this.#length, index + 1);
  }
}
