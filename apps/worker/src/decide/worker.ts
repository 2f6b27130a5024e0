// The worker's decisions: what a message of the leader or a finished piece of work leads to (PROTOCOL section 4).
import type { Blocked } from '@cria/protocol';
import { dropAccumulator, startNextSlot } from './accumulator.js';
import { sendPrepare } from './prepare.js';
import { obeys, replayDeferred, takeOrDefer } from './step-messages.js';
import type { WorkerTurn } from './turn.js';
import { takeWelcome } from './welcome.js';
import type { WorkerEffect, WorkerEvent } from './worker-events.js';
import { isSameExchange, type WorkerState } from './worker-state.js';

/** Takes one event into the state (in place) and says what to do, in order. */
export function decideWorker(state: WorkerState, event: WorkerEvent): readonly WorkerEffect[] {
  const turn: WorkerTurn = { state, effects: [] };
  takeEvent(turn, event);
  return turn.effects;
}

type EventOf<Kind extends WorkerEvent['kind']> = Extract<WorkerEvent, { kind: Kind }>;

function takeEvent(turn: WorkerTurn, event: WorkerEvent): void {
  const { state, effects } = turn;
  switch (event.kind) {
    case 'connected':
      return connected(turn);
    case 'disconnected':
      state.connected = false;
      state.welcomed = false;
      state.deferred = [];
      return;
    case 'message':
      return takeMessage(turn, event);
    case 'slot-computed':
      return slotComputed(turn, event);
    case 'reduced':
      return gradientReduced(turn, event);
    case 'blocked':
      return exchangeBlocked(turn, event);
    case 'exchange-ended':
      if (!isSameExchange(state.exchange, event)) return;
      state.exchangeRunning = false;
      return state.phase === 'ready' ? replayDeferred(turn) : undefined;
    case 'wrong-set':
      if (!isSameExchange(state.exchange, event) || state.phase !== 'ready') return;
      dropAccumulator(turn);
      return sayHello(turn, `exchange ${event.attempt} counts on other slots than are here`);
    case 'applied':
      return stateApplied(turn, event);
    case 'state-ready':
      return stateReady(turn, event);
    case 'state-read':
      return stateRead(turn, event);
    case 'state-failed':
      state.phase = 'empty';
      state.position = 0;
      return sayHello(turn, event.why);
    case 'leave':
      state.leaving = true;
      return void effects.push({ do: 'send', message: { $case: 'leave', value: { reason: event.why } } });
  }
}

/** Hello speaks of a whole state: one that is being applied is waited for. */
function connected(turn: WorkerTurn): void {
  const { state } = turn;
  state.connected = true;
  state.welcomed = false;
  if (state.phase !== 'applying') sayHello(turn, 'connected');
}

function sayHello({ state, effects }: WorkerTurn, why: string): void {
  state.welcomed = false;
  state.deferred = [];
  if (state.connected) effects.push({ do: 'hello', why });
}

function takeMessage(turn: WorkerTurn, event: EventOf<'message'>): void {
  const { state, effects } = turn;
  const { message } = event;
  const term = message.value.term;
  if (term !== undefined && !obeys(state, term)) return;
  switch (message.$case) {
    case 'welcome':
      return takeWelcome(turn, message.value);
    case 'evict':
      return void effects.push({
        do: 'leave-run',
        why: message.value.reason,
        mayReturn: message.value.mayReturn,
      });
    case 'heartbeat':
      dropEntries(turn, message.value.checkpoint);
      return takeHeartbeat(turn, message.value.head);
    default:
      if (state.welcomed) takeOrDefer(turn, { message, entry: event.entry });
  }
}

/** Who is ahead of the run waits until the run gets there, and is compared then. */
function takeHeartbeat(turn: WorkerTurn, head: number): void {
  const { state } = turn;
  const arrived = state.leaderHead < state.position && head >= state.position;
  state.leaderHead = head;
  if (arrived && state.phase === 'ready' && state.listensOnly) sayHello(turn, 'the run got here');
}

/** What a checkpoint has need not be kept. */
function dropEntries({ state, effects }: WorkerTurn, checkpoint: number): void {
  const first = Math.min(checkpoint, state.position);
  if (first <= state.entriesFirst) return;
  state.entriesFirst = first;
  effects.push({ do: 'drop-entries', before: first });
}

function slotComputed(turn: WorkerTurn, event: EventOf<'slot-computed'>): void {
  const { state, effects } = turn;
  const { computing } = state;
  const { slot, spare, step } = event.done;
  // A spare is nobody's sum: it outlives the accumulator, not the state.
  const isLate = spare
    ? step !== state.position || event.generation < state.stateGeneration
    : event.generation !== state.generation;
  if (isLate || computing?.slot !== slot || computing.spare !== spare) return;
  state.computing = null;
  if (spare) state.spares.set(slot, event.done.digests);
  else state.has.add(slot);
  effects.push({ do: 'send', message: { $case: 'slotDone', value: event.done } });
  startNextSlot(turn);
}

function gradientReduced(turn: WorkerTurn, event: EventOf<'reduced'>): void {
  const { state } = turn;
  if (!isSameExchange(state.exchange, event) || event.gradient.step !== state.exchange?.step) return;
  state.exchangeRunning = false;
  if (state.reduced !== null) return;
  if (state.phase !== 'ready' || event.gradient.step !== state.position) return;
  state.reduced = { ...event.gradient, reducedIn: { ...event.term, attempt: event.attempt } };
  sendPrepare(turn, event.attempt, event.stats);
  replayDeferred(turn);
}

function exchangeBlocked(turn: WorkerTurn, event: EventOf<'blocked'>): void {
  const { state, effects } = turn;
  if (!isSameExchange(state.exchange, event)) return;
  state.exchangeRunning = false;
  if (state.phase !== 'ready') return;
  if (!state.listensOnly) {
    const kind = event.slots.length > 0 ? 2 : event.peer !== '' ? 1 : 3;
    const { attempt, peer, part, why } = event;
    const value: Blocked = {
      term: { ...state.term },
      attempt,
      kind,
      peer,
      slots: [...event.slots],
      part,
      why,
    };
    effects.push({ do: 'send', message: { $case: 'blocked', value } });
  }
  replayDeferred(turn);
}

function stateApplied(turn: WorkerTurn, event: EventOf<'applied'>): void {
  const { state, effects } = turn;
  const { applying } = state;
  if (applying === null || event.position !== applying.step + 1) return;
  state.applying = null;
  state.phase = 'ready';
  state.position = event.position;
  state.mathHash = applying.mathHash;
  state.stateDigest = event.stateDigest;
  const own = applying.stripes.filter((stripe) => stripe.worker === state.worker);
  if (own.length > 0) effects.push({ do: 'keep-stripes', step: state.position, stripes: own });
  if (!state.welcomed) return sayHello(turn, `applied step ${applying.step}`);
  const value = { step: state.position, stateDigest: event.stateDigest };
  effects.push({ do: 'send', message: { $case: 'applied', value } });
  replayDeferred(turn);
}

function stateRead({ state, effects }: WorkerTurn, event: EventOf<'state-read'>): void {
  if (state.phase !== 'ready' || !state.welcomed || event.position !== state.position) return;
  const value = { step: event.position, stateDigest: event.stateDigest };
  effects.push({ do: 'send', message: { $case: 'applied', value } });
}

function stateReady(turn: WorkerTurn, event: EventOf<'state-ready'>): void {
  const { state } = turn;
  if (state.phase !== 'making' && state.phase !== 'copying') return;
  const madeFromSeed = state.phase === 'making' && event.position === 0;
  state.phase = 'ready';
  state.position = event.position;
  state.entriesFirst = event.position;
  state.mathHash = event.mathHash;
  state.stateDigest = event.stateDigest;
  if (madeFromSeed && state.welcomed && !state.listensOnly) {
    // A member that made state[0] is where the leader thinks it is: its grants are waiting.
    const value = { step: 0, stateDigest: event.stateDigest };
    turn.effects.push({ do: 'send', message: { $case: 'applied', value } });
    return replayDeferred(turn);
  }
  sayHello(turn, `has the state of step ${event.position}`);
}
