import type { WorkerId } from '@cria/runtime';
import type { LeaderEffect, NoteKind } from './leader-events.js';
import type { LeaderState } from './leader-state.js';

/** One call of decideLeader: the time, the state it updates, the effects it collects. */
export interface Turn {
  readonly nowMs: number;
  readonly state: LeaderState;
  readonly effects: LeaderEffect[];
}

export function note(turn: Turn, kind: NoteKind, worker: WorkerId | null, text: string): void {
  turn.effects.push({ do: 'note', kind, worker, text });
}
