// Where a worker that says Hello belongs (PROTOCOL 5.4, 5.5).
import type { WorkerId } from '@cria/runtime';
import { beginStep } from './begin-step.js';
import { askForEntries } from './entries.js';
import type { HelloFacts } from './leader-events.js';
import { membersOf, workersByAge } from './leader-questions.js';
import {
  addWorker,
  type AttemptMark,
  type LeaderState,
  type PreparedGradient,
  type WorkerRecord,
  type WorkerRole,
} from './leader-state.js';
import { isVoid, repeatExchangeTo } from './exchange.js';
import { loseWorker } from './lose.js';
import { shrinkToTarget } from './seats.js';
import { dismissWrongCopy } from './settle.js';
import { takeSpare } from './verify.js';
import { note, type Turn } from './turn.js';

/** Takes note of a Hello and, once gathering is over, welcomes the worker in its role. */
export function acceptHello(turn: Turn, hello: HelloFacts): void {
  const { state, nowMs } = turn;
  const refusal = reasonToRefuse(turn, hello);
  if (refusal !== null) {
    turn.effects.push({ do: 'evict', worker: hello.worker, why: refusal, mayReturn: false });
    return;
  }
  const obeysAnother =
    hello.termNumber === state.term.number &&
    hello.termLeader !== '' &&
    hello.termLeader !== state.term.leader;
  if (hello.termNumber > state.term.number || obeysAnother) {
    turn.effects.push({
      do: 'step-down',
      why: `a worker obeys term ${hello.termNumber} of ${hello.termLeader}`,
      termAtLeast: hello.termNumber + 1,
    });
    return;
  }
  const before = state.workers.get(hello.worker);
  if (!hello.empty && agreesWithLedger(turn, hello) === false) return refuseState(turn, hello, before);
  if (before !== undefined) loseWorker(turn, before, { why: 'says Hello again', quiet: true });
  state.invitations.delete(hello.seat);
  state.knownSeats.add(hello.seat);
  const record = recordOf(hello, before?.joinedMs ?? nowMs, nowMs);
  // It has copied or loaded its state and never computed a slot here.
  record.isUnproven = before?.isUnproven === true || before?.role === 'shadow';
  if (before?.role === 'load' && hello.empty) record.failedLoads = before.failedLoads + 1;
  if (record.failedLoads >= FAILED_LOADS_MAX) return lookAtCheckpointsAnew(turn, record);
  addWorker(state, record);
  state.hellos.set(record.id, hello);
  heedVoid(turn, hello.newestVoid);
  askForEntries(turn, hello);
  if (dismissWrongCopy(turn, record)) return;
  if (state.phase === 'run') placeWorker(turn, record);
  shrinkToTarget(turn);
}

/** So often a checkpoint may not be loaded before it is read again: it was whole when this leadership began. */
const FAILED_LOADS_MAX = 3;

function lookAtCheckpointsAnew({ state, effects }: Turn, { id }: WorkerRecord): void {
  const why = `${id} could not load the checkpoint of step ${state.manifestStep} ${FAILED_LOADS_MAX} times`;
  effects.push({ do: 'step-down', why, termAtLeast: 0 });
}

/** A state that the ledger contradicts helps nobody: the worker comes back without one. */
function refuseState(turn: Turn, hello: HelloFacts, before: WorkerRecord | undefined): void {
  const why = `its state of step ${hello.position} is not the ledger's`;
  note(turn, 'damage-found', hello.worker, `${hello.worker}: ${why}`);
  if (before !== undefined) loseWorker(turn, before, { why });
  turn.effects.push({ do: 'evict', worker: hello.worker, why, mayReturn: true });
}

/** A sum from before a void Exchange is not to be trusted; a new leader learns of it from whoever obeyed. */
function heedVoid({ state }: Turn, mark: AttemptMark | null): void {
  if (mark === null) return;
  const known = state.newestVoid;
  const isNewer =
    known === null ||
    mark.termNumber > known.termNumber ||
    (mark.termNumber === known.termNumber && mark.attempt > known.attempt);
  if (!isNewer) return;
  state.newestVoid = mark;
  for (const [worker, gradient] of state.prepared) if (isVoid(state, gradient)) state.prepared.delete(worker);
}

/** Who is further on the ledger's way than a replay that is under way saves it: the run goes on from there. */
export function endReplay(turn: Turn): void {
  const { state } = turn;
  if (state.next >= state.head) return;
  const ahead = workersByAge(state).filter((record) => {
    const facts = state.hellos.get(record.id);
    const isAhead = record.role === 'wait' && record.position > state.next && record.position <= state.head;
    return isAhead && facts !== undefined && agreesWithLedger(turn, facts) === true;
  });
  const furthest = ahead.reduce<WorkerRecord | null>(
    (best, record) => (best === null || record.position > best.position ? record : best),
    null,
  );
  if (furthest === null) return;
  const text = `${furthest.id} is at step ${furthest.position} already: no need to compute up to there again`;
  note(turn, 'step-replayed', furthest.id, text);
  beginAt(turn, furthest.position);
  for (const record of workersByAge(state)) placeWorker(turn, record);
}

/** What a Hello says of its state is what the ledger says of that position; null where the ledger cannot tell. */
function agreesWithLedger({ state }: Turn, { position, mathHash, stateDigest }: HelloFacts): boolean | null {
  const before = position === 0 ? state.rules.genesis : state.entries.get(position - 1)?.mathHash;
  if (before === undefined) return null;
  const known = state.entries.get(position)?.stateDigest ?? stateDigest;
  return mathHash === before && stateDigest === known;
}

/** Ends gathering: decides the step to go on with and places everybody who said Hello. */
export function finishGathering(turn: Turn): void {
  const { state } = turn;
  state.phase = 'run';
  const isFirstLife = [...state.workers.values()].every((record) => record.empty);
  if (isFirstLife) state.startWaitUntilMs = turn.nowMs + state.rules.startWaitMs;
  beginAt(turn, chooseNext(turn));
  // Those who have a state first: the others copy it from them.
  const byState = [...workersByAge(state)].sort(
    (a, b) => Number(a.empty) - Number(b.empty) || b.position - a.position,
  );
  for (const record of byState) placeWorker(turn, record);
}

/** All members of the newest entry are back, so there is nobody left to wait for. */
export function gatheringIsComplete(turn: Turn): boolean {
  const { state, nowMs } = turn;
  if (nowMs >= state.gatherUntilMs) return true;
  return state.lastMembers.length > 0 && state.lastMembers.every((id) => state.workers.has(id));
}

/**
 * When nobody computes any more, the step to go on with is chosen anew from who is here and the newest manifest,
 * and everybody gets a new role.
 */
export function replaceAllWhenNobodyComputes(turn: Turn): void {
  const { state } = turn;
  if (state.workers.size === 0 || membersOf(state).length > 0) return;
  if (workersByAge(state).some((record) => record.role === 'load')) return;
  const next = chooseNext(turn);
  const stays = workersByAge(state).every((record) => record.role === roleAt(turn, record, next));
  if (stays && next === state.next) return;
  beginAt(turn, next);
  for (const record of workersByAge(state)) placeWorker(turn, record);
}

function reasonToRefuse(turn: Turn, hello: HelloFacts): string | null {
  const { rules } = turn.state;
  if (hello.runId !== rules.runId) return `this coordinator leads run ${rules.runId}, not ${hello.runId}`;
  if (hello.fingerprint !== rules.fingerprint) {
    return `the run needs engine "${rules.fingerprint}", this worker has "${hello.fingerprint}"`;
  }
  if (hello.genesis !== rules.genesis) {
    return `the run's genesis is ${rules.genesis}, this worker's ${hello.genesis}: another configuration or other data`;
  }
  return null;
}

function recordOf(hello: HelloFacts, joinedMs: number, nowMs: number): WorkerRecord {
  return {
    id: hello.worker,
    address: hello.address,
    device: hello.device,
    host: hello.host,
    pid: hello.pid,
    joinedMs,
    role: 'wait',
    position: hello.position,
    empty: hello.empty,
    caughtUp: false,
    reduced: hello.reduced,
    appliedDigest: hello.stateDigest === '' ? null : hello.stateDigest,
    lastContactMs: nowMs,
    behindSinceMs: null,
    applyingSinceMs: null,
    applyMs: null,
    busySinceMs: nowMs,
    slotMs: null,
    isUnproven: false,
    failedLoads: 0,
    unprovenSteps: 0,
    leaving: null,
  };
}

/**
 * Highest position that somebody reachable has, where holding the reduced gradient of a committed step counts as
 * having applied it; the newest manifest counts too. At most the head.
 */
function chooseNext(turn: Turn): number {
  const { state } = turn;
  let next = state.manifestStep ?? 0;
  for (const record of state.workers.values()) {
    if (record.empty) continue;
    next = Math.max(
      next,
      holdsGradientOf(turn, record, record.position) ? record.position + 1 : record.position,
    );
  }
  return Math.min(next, state.head);
}

function beginAt(turn: Turn, step: number): void {
  beginStep(turn, step);
  turn.state.evaluation = null;
}

/** The worker holds the gradient that the ledger's entry of `step` names. */
function holdsGradientOf(turn: Turn, record: WorkerRecord, step: number): boolean {
  const digest = turn.state.entries.get(step)?.gradDigest;
  return record.reduced?.step === step && digest !== undefined && record.reduced.gradDigest === digest;
}

function roleAt(turn: Turn, record: WorkerRecord, next: number): WorkerRole {
  const { state } = turn;
  if (record.empty) return next === 0 ? 'member' : next === state.manifestStep ? 'load' : 'shadow';
  if (record.position === next) return 'member';
  if (record.position === next - 1 && holdsGradientOf(turn, record, next - 1)) return 'member';
  if (record.position > next) return 'wait';
  return next === state.manifestStep ? 'load' : 'shadow';
}

function placeWorker(turn: Turn, record: WorkerRecord): void {
  const { state } = turn;
  if (membersOf(state).length === 0 && !state.committing && record.role !== 'member') {
    const next = chooseNext(turn);
    if (next !== state.next) {
      beginAt(turn, next);
      for (const other of workersByAge(state)) if (other !== record) placeWorker(turn, other);
    }
  }
  record.role = roleAt(turn, record, state.next);
  if (record.role === 'load' || record.role === 'shadow') forgetStateOf(turn, record);
  if (record.role === 'member' && mustOnlyListen(turn, record)) {
    record.role = 'shadow';
    // Without a state it has to copy one first, and says Hello when that is whole.
    record.caughtUp = !record.empty;
  }
  const facts = state.hellos.get(record.id);
  const keep = record.role === 'member' && facts !== undefined ? keepFinishedWork(turn, record, facts) : [];
  const donors = record.role === 'shadow' ? donorsFor(state, record) : [];
  turn.effects.push({ do: 'welcome', worker: record.id, role: record.role, step: state.next, keep, donors });
  announce(turn, record);
  if (record.caughtUp) repeatExchangeTo(turn, record.id);
  if (record.role !== 'member') return;
  if (record.position === state.next - 1) {
    // It holds the gradient of the step before: the same Commit again brings it here.
    turn.effects.push({ do: 'commit', to: [record.id], step: record.position, stripes: [] });
    record.position = state.next;
    // It was the digest of the position before; Applied will tell the new one.
    record.appliedDigest = null;
    record.applyingSinceMs = turn.nowMs;
    record.reduced = null;
  } else adoptPrepared(turn, record.id, record.reduced);
  if (facts?.position === state.next)
    for (const { slot, digest } of facts.spares) takeSpare(turn, record.id, slot, digest);
}

/** It is told to load or copy another state over its own: nothing that its Hello said is there any more. */
function forgetStateOf({ state }: Turn, record: WorkerRecord): void {
  record.empty = true;
  record.position = 0;
  record.reduced = null;
  record.appliedDigest = null;
  state.hellos.delete(record.id);
}

/** Enough for a copy from several at once; others for the next newcomer, so that no donor has to serve many. */
const DONORS_MAX = 8;

function donorsFor(state: LeaderState, newcomer: WorkerRecord): WorkerId[] {
  const members = membersOf(state).flatMap((member) => (member === newcomer ? [] : [member.id]));
  const first = state.workers.size % Math.max(1, members.length);
  return [...members.slice(first), ...members.slice(0, first)].slice(0, DONORS_MAX);
}

/**
 * While an exchange runs well a newcomer listens, and becomes a member when the step is committed. Who has the
 * step's gradient already may stay: nothing has to wait for it.
 */
function mustOnlyListen(turn: Turn, record: WorkerRecord): boolean {
  const { exchange, committing, next } = turn.state;
  if (record.position !== next) return false;
  return committing || (exchange !== null && record.reduced?.step !== next);
}

/** Finished work stays if nobody else has been given any of those slots; otherwise all of it goes. */
function keepFinishedWork(turn: Turn, record: WorkerRecord, facts: HelloFacts): readonly number[] {
  const { state, nowMs } = turn;
  const all = [...facts.has, ...facts.running].sort((a, b) => a - b);
  if (facts.position !== state.next || all.length === 0) return [];
  if (all.some((slot) => state.slots[slot]?.kind !== 'open')) return [];
  for (const slot of facts.has) state.slots[slot] = { kind: 'done', worker: record.id };
  for (const slot of facts.running)
    state.slots[slot] = { kind: 'granted', worker: record.id, sinceMs: nowMs };
  return all;
}

/** A gradient of the step under way that was reduced under an earlier leader or connection still counts. */
function adoptPrepared(turn: Turn, worker: WorkerId, reduced: PreparedGradient | null): void {
  const { state } = turn;
  if (reduced === null || reduced.step !== state.next || state.voidNext || isVoid(state, reduced)) return;
  state.prepared.set(worker, reduced);
}

function announce(turn: Turn, record: WorkerRecord): void {
  const where = `${record.id} (${record.device} on ${record.host}, pid ${record.pid})`;
  if (record.role === 'member')
    note(turn, 'worker-joined', record.id, `${where} is a member at step ${turn.state.next}`);
  else
    note(turn, 'worker-shadow', record.id, `${where} catches up (${record.role}) at step ${turn.state.next}`);
}
