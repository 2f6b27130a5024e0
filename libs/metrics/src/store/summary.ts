// What a run of neighbouring steps looks like in one metric, and an array of such summaries packed into doubles (as
// objects they take three times the memory, and half a million steps have 30,000 of them per metric).
import type { ChunkedDoubles } from './chunked-doubles.js';
import type { DoublesFactory } from './chunked-doubles.js';

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
const PER_CHUNK = 512;
const [MIN, MAX, SUM, LAST, COUNT, LOST] = [0, 1, 2, 3, 4, 5] as const;

export class SummaryArray {
  readonly #packed: ChunkedDoubles;

  constructor(make: DoublesFactory, key: string) {
    this.#packed = make(key, PER_CHUNK * FIELDS);
  }

  /** Takes the summary at `index` into `result`; one that was never set adds nothing. */
  addTo(result: Summary, index: number): void {
    const chunk = Math.floor(index / PER_CHUNK);
    const packed = this.#packed.readable(chunk);
    const at = (index - chunk * PER_CHUNK) * FIELDS;
    if (packed === undefined || at >= packed.length || Number.isNaN(packed[at + COUNT])) return;
    const count = packed[at + COUNT] as number;
    result.min = Math.min(result.min, packed[at + MIN] as number);
    result.max = Math.max(result.max, packed[at + MAX] as number);
    result.sum += packed[at + SUM] as number;
    if (count > 0) result.last = packed[at + LAST] as number;
    result.count += count;
    result.notFinite += packed[at + LOST] as number;
  }

  /** Takes one more value (not NaN) into the summary at `index`. */
  addValue(index: number, value: number): void {
    const chunk = Math.floor(index / PER_CHUNK);
    const at = (index - chunk * PER_CHUNK) * FIELDS;
    const packed = this.#packed.writable(chunk, at + FIELDS);
    if (Number.isNaN(packed[at + COUNT])) put(packed, at, emptySummary());
    if (!Number.isFinite(value)) {
      packed[at + LOST] = (packed[at + LOST] as number) + 1;
      return;
    }
    if (value < (packed[at + MIN] as number)) packed[at + MIN] = value;
    if (value > (packed[at + MAX] as number)) packed[at + MAX] = value;
    packed[at + SUM] = (packed[at + SUM] as number) + value;
    packed[at + LAST] = value;
    packed[at + COUNT] = (packed[at + COUNT] as number) + 1;
  }

  set(index: number, summary: Summary): void {
    const chunk = Math.floor(index / PER_CHUNK);
    const at = (index - chunk * PER_CHUNK) * FIELDS;
    put(this.#packed.writable(chunk, at + FIELDS), at, summary);
  }

  truncate(length: number): void {
    this.#packed.truncate(length * FIELDS);
  }
}

function put(packed: Float64Array, at: number, summary: Summary): void {
  packed[at + MIN] = summary.min;
  packed[at + MAX] = summary.max;
  packed[at + SUM] = summary.sum;
  packed[at + LAST] = summary.last;
  packed[at + COUNT] = summary.count;
  packed[at + LOST] = summary.notFinite;
}
