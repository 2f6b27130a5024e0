import type { WorkerId } from '@cria/runtime';
import type { Turn } from './turn.js';

/** A slot cannot be taken out of a sum: the member drops whatever it has of this step. */
export function dropWorkOf({ state, effects }: Turn, member: WorkerId): void {
  effects.push({ do: 'welcome', worker: member, role: 'member', step: state.next, keep: [], donors: [] });
}
