// Bits that a test flips in this process's memory, as a cosmic ray would (libs/runtime, fault-points.ts).
import type { SharedTrainingState } from '@cria/collective';
import { faultAt, hasFaultPoints, standingFault } from '@cria/runtime';

/** After a slot was added, before anything of it is served. */
export function damageMemory(state: SharedTrainingState, step: number): void {
  if (!hasFaultPoints) return;
  if (faultAt('flip-accumulator', step)) flip(state.accumulator.small, MIDDLE);
  if (faultAt('flip-parameter', step)) flip(new Int32Array(state.params.buffer), MIDDLE);
}

/** A slot whose gradient is not finite, whoever computes it. */
export function damageGradient(gradient: Float32Array, at: { step: number; slot: number }): void {
  if (hasFaultPoints && standingFault(`nan-in-slot-${at.slot}@${at.step}`)) gradient[0] = Number.NaN;
}

const MIDDLE = 1000;

function flip(words: Int32Array, at: number): void {
  words[at]! ^= 1 << 12;
}
