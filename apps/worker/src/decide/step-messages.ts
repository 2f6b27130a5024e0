// Messages about a step. They count only at position = step; while a step is applied (or a Commit waits for a sum
// that is still being copied) they wait in order.
import type { Commit, Evaluate, Exchange, Grant, Release, Store, Term } from '@cria/protocol';
import { dropAccumulator, startNextSlot } from './accumulator.js';
import { sendPrepare } from './prepare.js';
import type { WorkerTurn } from './turn.js';
import {
  isSameExchange,
  ownSlots,
  type DeferredMessage,
  type SlotWork,
  type WorkerState,
} from './worker-state.js';

/** Adopts a higher term; refuses a lower one, and the same number of another leader. */
export function obeys(state: WorkerState, term: Term): boolean {
  if (term.number < state.term.number) return false;
  const isAnother = state.term.leader !== '' && term.leader !== state.term.leader;
  if (term.number === state.term.number && isAnother) return false;
  state.term = { number: term.number, leader: term.leader };
  return true;
}

export function takeOrDefer(turn: WorkerTurn, item: DeferredMessage): void {
  const { state } = turn;
  if (state.phase === 'copying') return listenWhileCopying(turn, item);
  if (state.deferred.length > 0 || !take(turn, item)) state.deferred.push(item);
}

/** Takes what has waited, as far as it can be taken now. */
export function replayDeferred(turn: WorkerTurn): void {
  const { state } = turn;
  for (;;) {
    const item = state.deferred[0];
    if (item === undefined || !take(turn, item)) return;
    state.deferred = state.deferred.slice(1);
  }
}

/** False: it has to wait. */
function take(turn: WorkerTurn, { message, entry }: DeferredMessage): boolean {
  const { state } = turn;
  if (state.phase !== 'ready') return false;
  switch (message.$case) {
    case 'grant':
      if (isAtStep(turn, message.value.step)) takeGrant(turn, message.value);
      return true;
    case 'release':
      takeRelease(turn, message.value);
      return true;
    case 'evaluate':
      if (isAtStep(turn, message.value.step)) takeEvaluate(turn, message.value);
      return true;
    case 'exchange':
      if (isAtStep(turn, message.value.step)) takeExchange(turn, message.value);
      return true;
    case 'commit':
      return takeCommit(turn, message.value, entry);
    case 'store':
      if (isAtStep(turn, message.value.step)) takeStore(turn, message.value);
      return true;
  }
}

/** A copying shadow hears every Exchange and Commit, so that what it copied can be rolled forward. */
function listenWhileCopying({ state, effects }: WorkerTurn, { message }: DeferredMessage): void {
  if (message.$case === 'exchange') {
    state.exchange = message.value;
    state.exchangeRunning = true;
    const { value } = message;
    const isVoid = value.void && !isNewestVoid(state, value);
    if (isVoid) state.newestVoid = { ...state.term, attempt: value.attempt };
    effects.push({ do: 'exchange', exchange: value, isVoid, isListener: true });
  } else if (message.$case === 'commit') effects.push({ do: 'copy-commit', commit: message.value });
}

function isAtStep(turn: WorkerTurn, step: number): boolean {
  const { state } = turn;
  if (step > state.position) askAgain(turn, `is asked about step ${step} at position ${state.position}`);
  return step === state.position;
}

/** The leader's idea of this worker is wrong: Hello tells it. What waits was said to that other worker. */
function askAgain({ state, effects }: WorkerTurn, why: string): void {
  state.welcomed = false;
  state.deferred = [];
  effects.push({ do: 'hello', why });
}

function takeGrant(turn: WorkerTurn, grant: Grant): void {
  const { state, effects } = turn;
  const own = ownSlots(state);
  const fresh = grant.slots.filter(({ slot, spare }) => !spare && !own.includes(slot));
  if (fresh.length > 0) {
    // The accumulator is about to change: nobody may read on from it.
    if (state.exchange !== null) effects.push({ do: 'cancel-exchange' });
    state.exchange = null;
    state.exchangeRunning = false;
    if (own.length === 0) effects.push({ do: 'begin-accumulator' });
  }
  const again = grant.slots.filter(({ slot, spare }) => spare && isNewSpare(turn, slot));
  state.queue.push(...[...fresh, ...again].map(({ slot, tokens, spare }) => ({ slot, tokens, spare })));
  startNextSlot(turn);
}

/** What was computed already is told once more instead. */
function isNewSpare({ state, effects }: WorkerTurn, slot: number): boolean {
  const digests = state.spares.get(slot);
  const waits = state.queue.some((work) => work.spare && work.slot === slot);
  if (digests === undefined)
    return !waits && !(state.computing?.spare === true && state.computing.slot === slot);
  const facts = { flagged: false, lossBits: 0, computeMs: 0, spare: true };
  const value = { step: state.position, slot, digests: Buffer.from(digests), ...facts };
  effects.push({ do: 'send', message: { $case: 'slotDone', value } });
  return false;
}

function takeRelease({ state, effects }: WorkerTurn, release: Release): void {
  const isMeant = (work: SlotWork): boolean => !work.spare && work.slot === release.slot;
  if (release.step !== state.position || !state.queue.some(isMeant)) return;
  state.queue = state.queue.filter((work) => !isMeant(work));
  const value = { step: release.step, slot: release.slot };
  effects.push({ do: 'send', message: { $case: 'released', value } });
}

function takeEvaluate({ effects }: WorkerTurn, request: Evaluate): void {
  effects.push({ do: 'evaluate', request });
}

function takeExchange(turn: WorkerTurn, exchange: Exchange): void {
  const { state, effects } = turn;
  if (isSameExchange(state.exchange, exchange) && state.exchangeRunning) return;
  // The same order once more voids nothing: what is here was summed under it.
  const isVoid = exchange.void && !isNewestVoid(state, exchange);
  if (isVoid && state.reduced !== null) {
    state.reduced = null;
    effects.push({ do: 'drop-reduced' });
  }
  if (isVoid) state.newestVoid = { ...state.term, attempt: exchange.attempt };
  const own = exchange.sets.find((set) => set.worker === state.worker);
  if (own !== undefined && exchange.from.length === 0 && state.reduced === null && !holds(state, own.slots)) {
    dropAccumulator(turn);
    return askAgain(turn, `exchange ${exchange.attempt} counts on other slots than are here`);
  }
  state.exchange = exchange;
  // Whoever has the sum already serves it under the new attempt, too: its exchange thread hears of every order.
  if (state.reduced === null) state.exchangeRunning = true;
  else sendPrepare(turn, exchange.attempt);
  effects.push({ do: 'exchange', exchange, isVoid, isListener: own === undefined || state.listensOnly });
}

function isNewestVoid({ newestVoid }: WorkerState, exchange: Exchange): boolean {
  return newestVoid !== null && isSameExchange(exchange, { term: newestVoid, attempt: newestVoid.attempt });
}

function holds(state: WorkerState, slots: readonly number[]): boolean {
  const own = ownSlots(state);
  return own.length === slots.length && own.every((slot) => slots.includes(slot));
}

function takeCommit(turn: WorkerTurn, commit: Commit, entry: DeferredMessage['entry']): boolean {
  const { state, effects } = turn;
  if (entry === null || entry.step < state.position) return true;
  const fits = entry.step === state.position && entry.followsFrom(state.position, state.mathHash);
  // A listener may still be copying the sum: the Commit waits for it.
  if (fits && state.exchangeRunning && state.reduced === null) return false;
  if (!fits || state.reduced?.gradDigest !== entry.gradDigest) {
    askAgain(turn, `cannot apply entry ${entry.step} at position ${state.position}`);
    return true;
  }
  state.applying = { step: entry.step, mathHash: entry.mathHash, stripes: commit.checkpoint };
  state.phase = 'applying';
  state.generation += 1;
  state.has.clear();
  state.queue = [];
  state.computing = null;
  state.spares.clear();
  state.exchange = null;
  state.reduced = null;
  effects.push({ do: 'apply', commit });
  return true;
}

function takeStore({ state, effects }: WorkerTurn, store: Store): void {
  const own = store.stripes.filter((stripe) => stripe.worker === state.worker);
  if (own.length > 0) effects.push({ do: 'keep-stripes', step: store.step, stripes: own });
  // No Prepare will follow that would find a bit that has turned over since.
  effects.push({ do: 'read-state' });
}
