// What an undisturbed run computes, step by step: the states, the sums, the ledger's mathematics.
import { mathHashAfter, type LedgerMath } from '@cria/ledger';
import { add } from './hash.js';
import {
  gradDigest,
  gradNormOf,
  GENESIS,
  initialState,
  nextPart,
  slotGradient,
  slotLoss,
  stateDigest,
  wholeOf,
  type Shape,
} from './mathematics.js';
import { mathOf } from './verdict.js';

export interface OracleStep {
  /** state[step], by part. */
  readonly state: readonly number[];
  readonly stateDigest: string;
  /** Sum of all slots' gradients, by part. */
  readonly sums: readonly number[];
  readonly math: LedgerMath;
  readonly mathHash: string;
}

export class Oracle {
  readonly shape: Shape;
  readonly #steps: OracleStep[] = [];
  #state: readonly number[];

  constructor(shape: Shape) {
    this.shape = shape;
    this.#state = initialState(shape);
  }

  step(step: number): OracleStep {
    while (this.#steps.length <= step) this.#compute();
    return this.#steps[step] as OracleStep;
  }

  #compute(): void {
    const { slots, numParts } = this.shape;
    const step = this.#steps.length;
    const state = this.#state;
    const whole = wholeOf(state);
    const all = Array.from({ length: slots }, (_, slot) => slot);
    const sums = Array.from({ length: numParts }, (_, part) =>
      all.reduce((sum, slot) => add(sum, slotGradient({ step, slot, part }, whole)), 0),
    );
    const losses = all.map((slot) => slotLoss({ step, slot }, whole, this.shape));
    const gradNorm = gradNormOf(sums);
    const prepared = {
      step,
      stateDigest: stateDigest(state),
      gradDigest: gradDigest(sums),
      gradNorm,
      losses,
    };
    const math = mathOf(prepared, this.#steps, this.shape);
    const before = this.#steps.at(-1)?.mathHash ?? GENESIS;
    const mathHash = mathHashAfter(before, math);
    this.#steps.push({ state, stateDigest: math.stateDigest, sums, math, mathHash });
    if (math.verdict !== 'use') return;
    this.#state = state.map((value, part) => nextPart(value, sums[part] ?? 0, step, gradNorm));
  }
}
