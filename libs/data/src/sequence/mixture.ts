// Which source the i-th sequence comes from, and how many came from it before: a fixed cycle in which every source is spread
// as evenly as whole numbers allow. Integer arithmetic only, random access, no memory of what was drawn.
import { CriaError, assert } from '@cria/runtime';

/** Longest cycle: shares are exact to one part in 65,536, or wholly exact for whole weights with a smaller sum. */
const CYCLE_MAX = 65_536;

/** The place of a sequence in the mixture. */
export interface MixturePlace {
  readonly source: number;
  /** The sequence is this source's `draw`-th, counting from 0. */
  readonly draw: number;
}

export class Mixture {
  /** Sequences of each source in one cycle. */
  readonly counts: readonly number[];
  readonly #cycle: number;
  readonly #sourceAt: Uint16Array;
  readonly #drawAt: Uint32Array;

  /**
   * @param weights relative shares of the sequences, in the order of the sources
   *
   * Errors: CONFIG_INVALID for a weight that is not positive or too small beside the others.
   */
  constructor(weights: readonly number[]) {
    this.counts = countsPerCycle(weights);
    this.#cycle = this.counts.reduce((sum, count) => sum + count, 0);
    this.#sourceAt = new Uint16Array(this.#cycle);
    this.#drawAt = new Uint32Array(this.#cycle);
    this.#fill();
  }

  /** Place of sequence `index` of the run. */
  placeOf(index: number): MixturePlace {
    assert(Number.isSafeInteger(index) && index >= 0, 'a sequence index is a natural number');
    const at = index % this.#cycle;
    const source = this.#sourceAt[at];
    return { source, draw: Math.floor(index / this.#cycle) * this.counts[source] + this.#drawAt[at] };
  }

  /** Each place goes to the source that is furthest behind its share; the first of equals. */
  #fill(): void {
    const drawn = new Array<number>(this.counts.length).fill(0);
    for (let at = 0; at < this.#cycle; at++) {
      let behind = 0;
      let debtMax = -Infinity;
      for (let source = 0; source < drawn.length; source++) {
        const debt = this.counts[source] * (at + 1) - drawn[source] * this.#cycle;
        if (debt <= debtMax) continue;
        debtMax = debt;
        behind = source;
      }
      this.#sourceAt[at] = behind;
      this.#drawAt[at] = drawn[behind]++;
    }
  }
}

function countsPerCycle(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  weights.forEach((weight, source) => {
    if (Number.isFinite(weight) && weight > 0) return;
    throw new CriaError('CONFIG_INVALID', `data.train.${source}.weight is ${weight}: it has to be above 0.`);
  });
  const isExact = weights.every(Number.isSafeInteger) && total <= CYCLE_MAX;
  const counts = isExact ? weights : largestRemainders(weights, total);
  const divisor = counts.reduce(greatestCommonDivisor);
  return counts.map((count) => count / divisor);
}

/** Whole numbers in proportion to the weights, with the sum CYCLE_MAX (Hamilton's method; ties: the first). */
function largestRemainders(weights: readonly number[], total: number): number[] {
  const quotas = weights.map((weight) => (weight / total) * CYCLE_MAX);
  const counts = quotas.map(Math.floor);
  const missing = CYCLE_MAX - counts.reduce((sum, count) => sum + count, 0);
  const byRemainder = quotas.map((_, source) => source);
  byRemainder.sort((a, b) => quotas[b] - counts[b] - (quotas[a] - counts[a]) || a - b);
  for (const source of byRemainder.slice(0, missing)) counts[source]++;
  const empty = counts.indexOf(0);
  if (empty < 0) return counts;
  throw new CriaError(
    'CONFIG_INVALID',
    `data.train.${empty}.weight is ${weights[empty]}: less than 1/${CYCLE_MAX} of all; raise it or drop the source.`,
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
