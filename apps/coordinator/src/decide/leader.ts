// The leader's decisions: one function from what happened to what is to be done. No I/O, no clock, no randomness.
import { checkpointFailed, checkpointWritten } from './checkpoint.js';
import { takeApplied, takeAppended, tryCommit } from './commit.js';
import { grantOpenSlots, isOverdue, releaseFromStragglers, slotIsDone, slotIsReleased } from './compute.js';
import { isBeyondTheLedger, takeEntries } from './entries.js';
import { askForEvaluations, takeEvaluated } from './evaluate.js';
import { settleComplaints, startExchange, takeComplaint, takePrepared } from './exchange.js';
import type { LeaderEffect, LeaderEvent } from './leader-events.js';
import { membersOf, workersByAge } from './leader-questions.js';
import type { Desired, LeaderState, WorkerRecord } from './leader-state.js';
import { loseWorker } from './lose.js';
import {
  acceptHello,
  endReplay,
  finishGathering,
  gatheringIsComplete,
  replaceAllWhenNobodyComputes,
} from './place.js';
import { rest } from './rest.js';
import { offerSeats, shrinkToTarget, takeInvitations } from './seats.js';
import { statesAgree } from './settle.js';
import { askForSpares } from './verify.js';
import { note, type Turn } from './turn.js';

/** So many times suspectMs a member may be behind: applying a large update takes its time. */
const LAG_SUSPECTS = 10;

/**
 * Takes one event into the state (in place) and says what to do, in order.
 *
 * @param nowMs monotonic milliseconds; never falls from call to call
 */
export function decideLeader(nowMs: number, state: LeaderState, event: LeaderEvent): readonly LeaderEffect[] {
  const turn: Turn = { nowMs, state, effects: [] };
  if (state.phase === 'ended') return turn.effects;
  takeEvent(turn, event);
  // Nothing becomes possible by it that the next tick does not find; a thousand workers say it 2,000 times a second.
  if (event.kind === 'contact') return turn.effects;
  if (state.fetching.size > 0) return turn.effects;
  if (state.phase === 'gather' && gatheringIsComplete(turn)) finishGathering(turn);
  if (state.phase === 'run') advance(turn);
  if (state.phase === 'run' && event.kind === 'tick') releaseFromStragglers(turn);
  offerSeats(turn);
  return turn.effects;
}

/** Does everything that the state now allows. */
function advance(turn: Turn): void {
  const { state } = turn;
  settleComplaints(turn);
  if (state.committing) return;
  statesAgree(turn);
  endReplay(turn);
  replaceAllWhenNobodyComputes(turn);
  if (rest(turn)) return;
  askForEvaluations(turn);
  if (state.prepared.size > 0 && state.exchange === null) startExchange(turn);
  if (state.exchange === null && grantOpenSlots(turn)) startExchange(turn);
  askForSpares(turn);
  if (tryCommit(turn)) advance(turn);
}

function takeEvent(turn: Turn, event: LeaderEvent): void {
  switch (event.kind) {
    case 'tick':
      return suspectTheSilent(turn);
    case 'hello':
      return acceptHello(turn, event.hello);
    case 'appended':
      return takeAppended(turn, event.step, event.outcome);
    case 'desired':
      return takeDesired(turn, event.desired);
    case 'invitations-taken':
      return takeInvitations(turn, event.seats);
    case 'entries-fetched':
      return takeEntries(turn, event.worker, event.end);
    case 'checkpoint-written':
      return checkpointWritten(turn, event.step);
    case 'checkpoint-failed':
      return checkpointFailed(turn, event.step, event.why);
    default:
      return takeWorkerEvent(turn, event);
  }
}

type WorkerEvent = Exclude<
  LeaderEvent,
  {
    kind:
      | 'tick'
      | 'hello'
      | 'appended'
      | 'desired'
      | 'invitations-taken'
      | 'entries-fetched'
      | 'checkpoint-written'
      | 'checkpoint-failed';
  }
>;

function takeWorkerEvent(turn: Turn, event: WorkerEvent): void {
  const { state, nowMs } = turn;
  const record = state.workers.get(event.worker);
  if (record === undefined) return;
  record.lastContactMs = nowMs;
  switch (event.kind) {
    case 'contact':
      if (event.position !== undefined) noteLag(turn, record, event.position);
      return;
    case 'slot-done':
      return slotIsDone(turn, record, event);
    case 'released':
      return slotIsReleased(turn, record, event);
    case 'prepared':
      return takePrepared(turn, record, event.attempt, event.gradient);
    case 'blocked':
      return takeComplaint(turn, { ...event, accuser: record.id, accused: event.peer });
    case 'applied':
      return takeApplied(turn, record, event.step, event.stateDigest);
    case 'evaluated':
      record.busySinceMs = nowMs;
      return takeEvaluated(turn, event.step, event.sequences);
    case 'leave':
      record.leaving ??= event.why;
      return;
    case 'disconnected':
      return loseWorker(turn, record, { why: event.why });
  }
}

/** A member that is not where the leader believes it to be; an apply under way is no lag. */
function noteLag(turn: Turn, record: WorkerRecord, position: number): void {
  const lags = record.role === 'member' && position < record.position;
  record.behindSinceMs = lags ? (record.behindSinceMs ?? turn.nowMs) : null;
}

function suspectTheSilent(turn: Turn): void {
  const { state, nowMs } = turn;
  for (const record of workersByAge(state)) {
    const silentMs = nowMs - record.lastContactMs;
    if (silentMs > state.rules.suspectMs) {
      loseWorker(turn, record, { why: `no contact for ${Math.round(silentMs)} ms`, evict: true });
    } else if (
      record.behindSinceMs !== null &&
      nowMs - record.behindSinceMs > LAG_SUSPECTS * state.rules.suspectMs
    ) {
      loseWorker(turn, record, { why: 'it did not get to the step that the run is at', evict: true });
    } else if (isBeyondTheLedger(turn, record)) {
      const why = `the ledger is lost from step ${state.head} on: it begins anew where the run is`;
      loseWorker(turn, record, { why, evict: true });
    } else if (appliesTooLong(state, record, nowMs)) {
      loseWorker(turn, record, { why: 'it applies a step far longer than usual', evict: true });
    } else if (state.phase === 'run' && isOverdue(state, record, nowMs)) {
      loseWorker(turn, record, { why: 'its slot takes far longer than usual', evict: true });
    }
  }
}

function appliesTooLong({ rules }: LeaderState, record: WorkerRecord, nowMs: number): boolean {
  const { applyingSinceMs, applyMs } = record;
  if (applyingSinceMs === null || applyMs === null || record.role !== 'member') return false;
  return nowMs - applyingSinceMs > Math.max(rules.suspectMs, 4 * applyMs) + applyMs;
}

function takeDesired(turn: Turn, desired: Desired): void {
  const { state } = turn;
  if (desired.revision <= state.desired.revision) return;
  const before = state.desired;
  state.desired = desired;
  if (desired.target !== before.target)
    note(turn, 'scaled', null, `target ${before.target} -> ${desired.target} workers`);
  if (desired.paused !== before.paused) {
    note(
      turn,
      desired.paused ? 'run-paused' : 'run-unpaused',
      null,
      desired.paused ? 'pause takes effect at the next step' : 'the run goes on',
    );
    if (!desired.paused) state.waitingFor = '';
  }
  shrinkToTarget(turn);
}

/** For status displays: what the members are. */
export function memberCount(state: LeaderState): number {
  return membersOf(state).length;
}
