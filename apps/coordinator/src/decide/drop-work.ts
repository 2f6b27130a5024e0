import type { WorkerId } from '@cria/runtime';
import { membersOf, slotsOf } from './leader-questions.js';
import { forgetSlots } from './leader-state.js';
import type { Turn } from './turn.js';

/** A slot cannot be taken out of a sum: the member drops whatever it has of this step. */
export function dropWorkOf({ state, effects }: Turn, member: WorkerId): void {
  effects.push({ do: 'welcome', worker: member, role: 'member', step: state.next, keep: [], donors: [] });
}

/** Nothing that was summed or computed for this step counts. */
export function startAnew(turn: Turn): void {
  const { state } = turn;
  state.voidNext = true;
  state.prepared.clear();
  state.exchange = null;
  for (const member of membersOf(state)) {
    if (slotsOf(state, member.id).length === 0) continue;
    dropWorkOf(turn, member.id);
  }
  forgetSlots(state);
}
