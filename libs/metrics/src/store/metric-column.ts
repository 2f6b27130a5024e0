// One metric of all steps, with summaries of 16, 256, 4096, ... steps beside it, so that any power-of-two bucket on its
// fixed boundary is made from at most 15 parts, and half a million steps are drawn without reading them all.
import { assert } from '@cria/runtime';
import { memoryDoubles } from './chunked-doubles.js';
import type { ChunkedDoubles, DoublesFactory } from './chunked-doubles.js';
import { SummaryArray, addValue, emptySummary } from './summary.js';
import type { Summary } from './summary.js';

const FANOUT_BITS = 4;
const FANOUT = 1 << FANOUT_BITS;
/** Up to 16^6 = 16.8 million steps a summary. */
const LEVELS = 6;
const VALUES_PER_CHUNK = 4096;
/** Steps that one summary of a level covers. */
const WIDTHS = Array.from({ length: LEVELS }, (_, level) => 2 ** (FANOUT_BITS * (level + 1)));
const TOP_WIDTH = 2 ** (FANOUT_BITS * LEVELS);

export class MetricColumn {
  readonly #values: ChunkedDoubles;
  /** levels[i] holds summaries of 16^(i+1) steps. */
  readonly #levels: readonly SummaryArray[];
  #length: number;

  /** @param length of a column that lies in a file already */
  constructor(make: DoublesFactory = memoryDoubles, name = '', length = 0) {
    this.#values = make(`${name}/0`, VALUES_PER_CHUNK);
    this.#levels = Array.from({ length: LEVELS }, (_, i) => new SummaryArray(make, `${name}/${i + 1}`));
    this.#length = length;
  }

  /** One more than the highest step that was set. */
  get length(): number {
    return this.#length;
  }

  /** NaN where there is no value, +Infinity where it was not finite. */
  at(step: number): number {
    return step < this.#length ? this.#values.get(step) : Number.NaN;
  }

  /** Copies the values of neighbouring steps, as {@link at} gives them one by one; much faster for many. */
  read(fromStep: number, into: Float64Array): void {
    this.#values.read(fromStep, into);
  }

  /**
   * Sets the value of a step at or after `length`, or of the last one if it has none; NaN sets nothing. Earlier steps
   * are forgotten by {@link cut} first.
   */
  append(step: number, value: number): void {
    if (Number.isNaN(value)) return;
    const isNew = step >= this.#length || (step === this.#length - 1 && Number.isNaN(this.at(step)));
    assert(isNew, 'steps of a column rise');
    this.#values.set(step, value);
    this.#length = Math.max(this.#length, step + 1);
    for (let level = 0, index = step; level < LEVELS; level++) {
      index = Math.floor(index / FANOUT);
      this.#levels[level]?.addValue(index, value);
    }
  }

  /** Forgets this step and all after it. */
  cut(fromStep: number): void {
    if (fromStep >= this.#length) return;
    this.#values.truncate(fromStep);
    this.#length = fromStep;
    this.#levels.forEach((summaries, level) => {
      const straddling = Math.floor(fromStep / (WIDTHS[level] as number));
      summaries.truncate(straddling);
      summaries.set(straddling, this.#combine(level - 1, straddling * FANOUT, FANOUT));
    });
  }

  /** The summary of steps [bucket * 2^bits, (bucket + 1) * 2^bits). */
  summarise(bits: number, bucket: number): Summary {
    const level = Math.min(Math.floor(bits / FANOUT_BITS), LEVELS) - 1;
    const parts = 2 ** (bits - FANOUT_BITS * (level + 1));
    return this.#combine(level, bucket * parts, parts);
  }

  /** The summary of all steps. */
  summariseAll(): Summary {
    return this.#combine(LEVELS - 1, 0, Math.ceil(this.#length / TOP_WIDTH));
  }

  /** The newest finite value, null when there is none. */
  lastFinite(): number | null {
    const { count, last } = this.summariseAll();
    return count > 0 ? last : null;
  }

  /** First step whose value is the least or the greatest of all; null when none is finite. */
  stepOf(which: 'min' | 'max'): number | null {
    const all = this.summariseAll();
    if (all.count === 0) return null;
    let first = 0;
    let count = Math.ceil(this.#length / TOP_WIDTH);
    for (let level = LEVELS - 1; level >= -1; level--) {
      const wanted = all[which];
      let part = first;
      while (part < first + count - 1 && this.#combine(level, part, 1)[which] !== wanted) part++;
      first = level === -1 ? part : part * FANOUT;
      count = FANOUT;
    }
    return first;
  }

  /** Adds up neighbouring summaries of a level; level -1 is the values themselves. */
  #combine(level: number, from: number, count: number): Summary {
    const result = emptySummary();
    const summaries = this.#levels[level];
    for (let part = from; part < from + count; part++) {
      if (summaries === undefined) addValue(result, this.at(part));
      else if (part * (WIDTHS[level] as number) < this.#length) summaries.addTo(result, part);
    }
    return result;
  }
}
