// One metric of all steps, with summaries of 16, 256, 4096, ... steps beside it, so that any power-of-two bucket on its
// fixed boundary is made from at most 15 parts, and half a million steps are drawn without reading them all.
import { assert } from '@cria/runtime';
import { NO_VALUE, SummaryArray, addSummary, addValue, emptySummary } from './summary.js';
import type { Summary } from './summary.js';

const FANOUT_BITS = 4;
const FANOUT = 1 << FANOUT_BITS;
/** Up to 16^6 = 16.8 million steps a summary. */
const LEVELS = 6;
const FIRST_CAPACITY = 1024;

export class MetricColumn {
  #values = new Float64Array(FIRST_CAPACITY).fill(NO_VALUE);
  /** levels[i] holds summaries of 16^(i+1) steps. */
  readonly #levels = Array.from({ length: LEVELS }, () => new SummaryArray());
  #length = 0;

  /** One more than the highest step that was set. */
  get length(): number {
    return this.#length;
  }

  /** NaN where there is no value, +Infinity where it was not finite. */
  at(step: number): number {
    return step < this.#length ? (this.#values[step] ?? NO_VALUE) : NO_VALUE;
  }

  /** Sets the value of a step at or after `length`; earlier ones are forgotten by {@link cut} first. */
  append(step: number, value: number): void {
    assert(step >= this.#length, 'steps of a column rise');
    if (step >= this.#values.length) this.#grow(step + 1);
    this.#values[step] = value;
    this.#length = step + 1;
    if (Number.isNaN(value)) return;
    this.#levels.forEach((summaries, level) => {
      const index = step >> bitsOf(level);
      const summary = summaries.get(index);
      addValue(summary, value);
      summaries.set(index, summary);
    });
  }

  /** Forgets this step and all after it. */
  cut(fromStep: number): void {
    if (fromStep >= this.#length) return;
    this.#values.fill(NO_VALUE, fromStep, this.#length);
    this.#length = fromStep;
    this.#levels.forEach((summaries, level) => {
      const straddling = fromStep >> bitsOf(level);
      if (straddling >= summaries.length) return;
      summaries.truncate(straddling);
      summaries.set(straddling, this.#combine(level - 1, straddling * FANOUT, FANOUT));
    });
  }

  /** The summary of steps [bucket * 2^bits, (bucket + 1) * 2^bits). */
  summarise(bits: number, bucket: number): Summary {
    const level = Math.min(Math.floor(bits / FANOUT_BITS), LEVELS) - 1;
    const parts = 1 << (bits - FANOUT_BITS * (level + 1));
    return this.#combine(level, bucket * parts, parts);
  }

  /** The newest finite value, null when there is none. */
  lastFinite(): number | null {
    const top = this.#levels[LEVELS - 1] as SummaryArray;
    for (let index = top.length - 1; index >= 0; index--) {
      const { count, last } = top.get(index);
      if (count > 0) return last;
    }
    return null;
  }

  /** Adds up neighbouring summaries of a level; level -1 is the values themselves. */
  #combine(level: number, from: number, count: number): Summary {
    const result = emptySummary();
    const summaries = this.#levels[level];
    for (let part = from; part < from + count; part++) {
      if (summaries === undefined) addValue(result, this.at(part));
      else if (part < summaries.length) addSummary(result, summaries.get(part));
    }
    return result;
  }

  #grow(capacity: number): void {
    const values = new Float64Array(Math.max(capacity, this.#values.length * 2)).fill(NO_VALUE);
    values.set(this.#values);
    this.#values = values;
  }
}

function bitsOf(level: number): number {
  return FANOUT_BITS * (level + 1);
}
