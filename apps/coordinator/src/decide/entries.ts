// Ledger entries that only workers hold: they are fetched, and the head is found anew with them (PROTOCOL section 2,
// 5.2, 5.3). Until then nothing is computed: it might be a step that was committed already.
import type { WorkerId } from '@cria/runtime';
import type { HelloFacts } from './leader-events.js';
import { note, type Turn } from './turn.js';

/** Asks a worker whose entries go on where this leader's ledger ends, once. */
export function askForEntries({ state, effects }: Turn, hello: HelloFacts): void {
  const { worker, entriesFirst, entriesEnd } = hello;
  const goesOn = entriesFirst <= state.head && state.head < entriesEnd;
  if (!goesOn || state.askedForEntries.has(worker)) return;
  state.askedForEntries.add(worker);
  state.fetching.add(worker);
  state.waitingFor = `ledger entries that only ${worker} holds`;
  effects.push({ do: 'fetch-entries', worker, from: state.head });
}

/** @param end step after the newest one that verifies */
export function takeEntries(turn: Turn, worker: WorkerId, end: number): void {
  const { state } = turn;
  state.fetching.delete(worker);
  state.waitingFor = '';
  if (end <= state.head) {
    note(turn, 'waiting', worker, `${worker} could not show the ledger entries that it says it has`);
    return;
  }
  const why = `${worker} holds the ledger up to step ${end}, this leader up to step ${state.head}`;
  turn.effects.push({ do: 'step-down', why, termAtLeast: 0 });
}
