// What a Welcome makes of a worker.
import type { Welcome } from '@cria/protocol';
import { dropAccumulator } from './accumulator.js';
import type { WorkerTurn } from './turn.js';
import { isSameExchange, ownSlots } from './worker-state.js';

/** Role of the generated messages; literal here, so that decisions import types alone. */
const ROLE = { member: 1, shadow: 2, load: 3 } as const;

export function takeWelcome(turn: WorkerTurn, welcome: Welcome): void {
  const { state, effects } = turn;
  const answersHello = !state.welcomed;
  state.welcomed = true;
  state.listensOnly = welcome.role !== ROLE.member;
  state.leaderHead = Math.max(state.leaderHead, welcome.step);
  if (answersHello) forgetOrders(turn, welcome);
  keepOnly(turn, welcome);
  if (state.phase === 'making') return;
  if (state.phase === 'applying') return whileApplying(turn, welcome);
  const hasState = state.phase === 'ready';
  if (welcome.role === ROLE.member && !hasState) {
    // Only state[0] can be made; a copy under way says Hello when it is whole.
    if (welcome.step !== 0) return;
    state.phase = 'making';
    effects.push({ do: 'make-state' });
  } else if (welcome.role === ROLE.load) {
    forgetState(turn, 'making');
    effects.push({ do: 'load-state', welcome });
  } else if (welcome.role === ROLE.shadow && (!hasState || state.position !== welcome.step)) {
    forgetState(turn, 'copying');
    effects.push({ do: 'copy-state', welcome });
  }
}

/** A state on its way cannot be replaced: who is wanted elsewhere says Hello when it is whole, and is placed anew. */
function whileApplying({ state }: WorkerTurn, welcome: Welcome): void {
  const leadsThere = welcome.role !== ROLE.load && welcome.step === (state.applying?.step ?? 0) + 1;
  if (leadsThere) return;
  state.welcomed = false;
  state.deferred = [];
}

/** What an earlier leader had ordered does not count any more; an exchange of this very leadership goes on. */
function forgetOrders({ state, effects }: WorkerTurn, welcome: Welcome): void {
  state.deferred = [];
  const { exchange } = state;
  if (exchange === null || isSameExchange(exchange, { term: welcome.term, attempt: exchange.attempt }))
    return;
  effects.push({ do: 'cancel-exchange' });
  state.exchange = null;
  state.exchangeRunning = false;
}

/** The accumulator keeps what the leader counts on, or nothing. */
function keepOnly(turn: WorkerTurn, welcome: Welcome): void {
  const own = ownSlots(turn.state);
  const keepsAll = own.length === welcome.keep.length && own.every((slot) => welcome.keep.includes(slot));
  if (!keepsAll) dropAccumulator(turn);
}

function forgetState(turn: WorkerTurn, phase: 'making' | 'copying'): void {
  const { state } = turn;
  dropAccumulator(turn);
  if (state.reduced !== null) turn.effects.push({ do: 'drop-reduced' });
  state.reduced = null;
  // What was computed twice was computed from the state that goes.
  state.queue = [];
  state.computing = null;
  state.spares.clear();
  state.stateGeneration = state.generation;
  state.phase = phase;
}
