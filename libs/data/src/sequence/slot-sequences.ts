// Which sequences a slot stands for: pure arithmetic, the same for ever.
import { assert } from '@cria/runtime';

export interface SlotPlace {
  readonly step: number;
  readonly slot: number;
  /** Sequences of a step. */
  readonly globalBatch: number;
  /** Slots of a step; divides globalBatch. */
  readonly slots: number;
}

/** Sequences [first, first + count) of the run. */
export interface SequenceRange {
  readonly first: number;
  readonly count: number;
}

/** Slot k of step s is the sequences s*B + k*B/K .. s*B + (k+1)*B/K - 1, for a global batch of B in K slots. */
export function slotSequences(place: SlotPlace): SequenceRange {
  const { step, slot, globalBatch, slots } = place;
  assert(Number.isSafeInteger(globalBatch / slots), 'the number of slots divides the global batch');
  assert(slot >= 0 && slot < slots, 'the slot exists');
  assert(step >= 0, 'steps count from 0');
  const count = globalBatch / slots;
  return { first: step * globalBatch + slot * count, count };
}
