// Ledger entries that only workers hold: they are fetched, and the head is found anew with them (PROTOCOL section 2,
// 5.2, 5.3). Until then nothing is computed: it might be a step that was committed already.
import type { WorkerId } from '@cria/runtime';
import type { HelloFacts } from './leader-events.js';
import type { WorkerRecord } from './leader-state.js';
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

/**
 * A worker is ahead of a ledger whose missing entries nobody has shown: its state is of no use before the run gets
 * there, and it helps more from where the run is. For a while somebody may come yet who has them.
 */
export function isBeyondTheLedger({ state, nowMs }: Turn, record: WorkerRecord): boolean {
  if (record.role !== 'wait' || record.position <= state.head || state.fetching.size > 0) return false;
  return state.phase === 'run' && nowMs >= state.gatherUntilMs + state.rules.suspectMs;
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
