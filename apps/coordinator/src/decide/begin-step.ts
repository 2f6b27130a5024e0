import { forgetSlots } from './leader-state.js';
import type { Turn } from './turn.js';

/** Step `step` is under way, and nothing of it is done. */
export function beginStep({ state, nowMs }: Turn, step: number): void {
  state.next = step;
  forgetSlots(state);
  state.slotDeaths = new Array<number>(state.rules.slots).fill(0);
  state.exchange = null;
  state.prepared.clear();
  state.complaints = [];
  state.stepStartedMs = nowMs;
  state.lostMs = 0;
  state.attemptsThisStep = 0;
  state.agreedDigest = null;
  state.undecided = 0;
}
