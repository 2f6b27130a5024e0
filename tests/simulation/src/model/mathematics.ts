// Training in small: a state of a few 32-bit parts, a slot's gradient that is a function of (step, slot, state), a sum
// that is linear, an update that is elementwise. What Cria's mathematics has to be, and nothing else.
import type { AnomalyRules } from '@cria/ledger';
import { add, hex, mix } from './hash.js';

export interface Shape {
  /** K: slots of a step. */
  readonly slots: number;
  /** Parts of the state, without the report part. */
  readonly numParts: number;
  /** Slots are flagged and losses judged by these rules; null: all is well in every step. */
  readonly anomalies: AnomalyRules | null;
}

/** One part of a slot's gradient or of a sum of slots. */
export interface PartSum {
  /** What is really in it; nobody in the simulated cluster can see this. */
  readonly counts: readonly number[];
  /** The data. */
  readonly value: number;
}

/** What the report part says of each slot. */
export interface Report {
  readonly counts: readonly number[];
  readonly losses: readonly number[];
  /** L of the slot's gradient over all parts, by slot. */
  readonly digests: readonly number[];
}

/** The loss of a slot whose numbers were not finite. */
export const FLAGGED = 0xff;

export const GENESIS = 'genesis';

export function initialState({ numParts }: Shape): number[] {
  return Array.from({ length: numParts }, (_, part) => mix(0x5eed, part));
}

/** The whole state as one word: what forward and backward depend on. */
export function wholeOf(parts: readonly number[]): number {
  return parts.reduce((sum, value, part) => add(sum, mix(value, part)), 0);
}

export function stateDigest(parts: readonly number[]): string {
  return hex(wholeOf(parts));
}

export function slotGradient(at: { step: number; slot: number; part: number }, whole: number): number {
  return mix(1, at.step, at.slot, at.part, whole);
}

/** One byte; FLAGGED where numbers were not finite. */
export function slotLoss(at: { step: number; slot: number }, whole: number, { anomalies }: Shape): number {
  const { step, slot } = at;
  const isFlagged = anomalies !== null && mix(6, step, slot, whole) % 24 === 0;
  return isFlagged ? FLAGGED : mix(2, step, slot, whole) % FLAGGED;
}

export function validationLoss(index: number, whole: number): number {
  return mix(3, index, whole) & 0xffff;
}

export function gradDigest(sums: readonly number[]): string {
  return hex(sums.reduce((sum, value, part) => add(sum, Math.imul(value, 2 * part + 1)), 0));
}

/** The norm: a function of the whole sum. */
export function gradNormOf(sums: readonly number[]): number {
  return mix(4, ...sums) / 65536;
}

/** One part of state[step] becomes that of state[step + 1]. */
export function nextPart(value: number, sum: number, step: number, gradNorm: number): number {
  return mix(5, value, sum, step, Math.floor(gradNorm));
}

/** One word for all parts of a slot's gradient; linear. */
export function slotDigest(gradient: readonly number[]): number {
  return gradient.reduce((sum, value, part) => add(sum, Math.imul(value, 2 * part + 1)), 0);
}

/** The report's bytes: counts, losses, digests. */
export function encodeReport({ counts, losses, digests }: Report): Uint8Array {
  const words = Uint32Array.from(digests);
  return Buffer.concat([Buffer.from([...counts, ...losses]), Buffer.from(words.buffer)]);
}

export function decodeReport(bytes: Uint8Array, { slots }: Shape): Report {
  const words = Uint8Array.from(bytes.subarray(2 * slots, 6 * slots));
  return {
    counts: [...bytes.subarray(0, slots)],
    losses: [...bytes.subarray(slots, 2 * slots)],
    digests: [...new Uint32Array(words.buffer)],
  };
}

export function meanLoss(losses: readonly number[]): number {
  if (losses.includes(FLAGGED)) return NaN;
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** Part of the state that nothing was written to. */
export const UNSET = 0;
