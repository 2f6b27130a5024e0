// Granting slots: a few at a time, to whoever is expected to finish first (PROTOCOL 4.1).
import type { WorkerId } from '@cria/runtime';
import { loadByWorker, loadOf, membersOf, workingMembers } from './leader-questions.js';
import type { LeaderState, WorkerRecord } from './leader-state.js';
import { takeSpare, trustTheEqual } from './verify.js';
import { note, type Turn } from './turn.js';

/** Slots granted ahead: one computed, one waiting, so that no worker idles for a round trip. */
const GRANTS_AHEAD = 2;

/** A slot moves only if another would be through with it so many times sooner. */
const RELEASE_GAIN = 2;

/** Grants open slots. Returns false while slots stay open. */
export function grantOpenSlots(turn: Turn): boolean {
  const { state } = turn;
  if (!state.slots.some((slot) => slot.kind === 'open')) return true;
  const able = provenMembers(turn);
  if (!mayGrant(turn, able)) return false;
  const open = state.slots.flatMap((slot, k) => (slot.kind === 'open' ? [k] : []));
  const grants = new Map<WorkerId, number[]>();
  const candidates = candidatesOf(turn, able);
  for (const slot of open) {
    const best = soonestToFinish(candidates);
    if (best === null || best.load >= GRANTS_AHEAD) break;
    const { record } = best;
    if (best.load === 0) record.busySinceMs = turn.nowMs;
    state.slots[slot] = { kind: 'granted', worker: record.id, sinceMs: turn.nowMs };
    best.load += 1;
    grants.set(record.id, [...(grants.get(record.id) ?? []), slot]);
  }
  for (const [worker, slots] of grants)
    turn.effects.push({ do: 'grant', worker, step: state.next, slots, spares: [] });
  return state.slots.every((slot) => slot.kind !== 'open');
}

/** Nothing of a newcomer is added before a slot of it was found equal to another's; unless there is nobody else. */
function provenMembers({ state }: Turn): WorkerRecord[] {
  const able = workingMembers(state);
  const proven = able.filter((member) => !member.isUnproven);
  if (proven.length > 0) return proven;
  for (const member of able) member.isUnproven = false;
  return able;
}

/**
 * What a straggler has not begun moves to whoever has nothing to do and would be through with it sooner. The exchange
 * that counted on it is sent again with other sets when the slot is given back.
 */
export function releaseFromStragglers(turn: Turn): void {
  const { state } = turn;
  if (state.prepared.size > 0 || state.slots.some((slot) => slot.kind === 'open')) return;
  const able = workingMembers(state).filter((member) => !member.isUnproven);
  const loads = loadByWorker(state);
  const idleMs = able.flatMap(({ id, slotMs }) => (slotMs !== null && !loads.has(id) ? [slotMs] : []));
  if (idleMs.length === 0) return;
  for (const member of able) {
    if ((loads.get(member.id) ?? 0) < GRANTS_AHEAD) continue;
    const slot = waitingSlotOf(state, member.id);
    if (slot === null || state.releasing.has(slot)) continue;
    const elapsedMs = turn.nowMs - member.busySinceMs;
    const slotMs = Math.max(member.slotMs ?? 0, elapsedMs);
    const waitsMs = slotMs - elapsedMs + slotMs;
    if (waitsMs < Math.max(RELEASE_GAIN * Math.min(...idleMs), state.rules.releaseLeastMs)) continue;
    state.releasing.add(slot);
    turn.effects.push({ do: 'release', worker: member.id, step: state.next, slot });
    return;
  }
}

/** The slot that a member was granted last while it computes another. */
function waitingSlotOf(state: LeaderState, worker: WorkerId): number | null {
  const granted = state.slots.flatMap((slot, k) =>
    slot.kind === 'granted' && slot.worker === worker ? [{ k, sinceMs: slot.sinceMs }] : [],
  );
  if (granted.length < GRANTS_AHEAD) return null;
  return granted.reduce((last, one) => (one.sinceMs >= last.sinceMs ? one : last)).k;
}

/** A member gave a slot back that it had not begun. */
export function slotIsReleased(
  turn: Turn,
  record: WorkerRecord,
  released: { step: number; slot: number },
): void {
  const { state, nowMs } = turn;
  const slot = state.slots[released.slot];
  if (released.step !== state.next || slot === undefined || slot.kind === 'open') return;
  // Also one that counts as done: that was said of work which a Welcome has since had dropped, and granted anew.
  if (slot.worker !== record.id) return;
  // It is slower than it was: or the slot would come back to it.
  record.slotMs = Math.max(record.slotMs ?? 0, nowMs - record.busySinceMs);
  state.slots[released.slot] = { kind: 'open' };
  state.slotFacts.delete(released.slot);
  state.releasing.delete(released.slot);
  if (state.exchange?.sets.get(record.id)?.includes(released.slot) === true) state.exchange = null;
}

/** Takes note of a finished slot and of how long the worker needs for one. */
export function slotIsDone(
  turn: Turn,
  record: WorkerRecord,
  done: { step: number; slot: number; computeMs: number; spare: boolean; flagged: boolean; digest: string },
): void {
  const { state, nowMs } = turn;
  record.busySinceMs = nowMs;
  record.slotMs = record.slotMs === null ? done.computeMs : 0.7 * record.slotMs + 0.3 * done.computeMs;
  if (done.step !== state.next) return;
  if (done.spare) return takeSpare(turn, record.id, done.slot, done.digest);
  const slot = state.slots[done.slot];
  if (slot?.kind !== 'granted' || slot.worker !== record.id) return;
  state.slots[done.slot] = { kind: 'done', worker: record.id };
  state.slotFacts.set(done.slot, { digest: done.digest, flagged: done.flagged });
  trustTheEqual(state);
}

/** So many times slower than the slowest that is known a newcomer may be with its first slot. */
const NEWCOMER_SLOWER = 20;

/**
 * Whether the slot that a member computes takes suspiciously long, whatever its heartbeats say. While nobody has
 * finished a slot nothing is known: the first one may have to be compiled for.
 */
export function isOverdue(state: LeaderState, record: WorkerRecord, nowMs: number): boolean {
  const elapsedMs = nowMs - record.busySinceMs;
  const { suspectMs } = state.rules;
  if (elapsedMs <= suspectMs || loadOf(state, record.id) === 0) return false;
  const usualMs = record.slotMs ?? NEWCOMER_SLOWER * slowestSlotMs(state);
  return usualMs > 0 && elapsedMs > Math.max(suspectMs, 4 * usualMs) + usualMs;
}

/** 0 when none is known. */
function slowestSlotMs(state: LeaderState): number {
  return membersOf(state).reduce((slowest, { slotMs }) => Math.max(slowest, slotMs ?? 0), 0);
}

function mayGrant(turn: Turn, able: readonly WorkerRecord[]): boolean {
  const { state, nowMs } = turn;
  const { workersMin } = state.rules;
  const welcomed = membersOf(state).length;
  if (able.length === 0) return false;
  if (welcomed < workersMin) return wait(turn, `${workersMin} workers (workers.min); ${welcomed} here`);
  if (welcomed < state.desired.target && nowMs < state.startWaitUntilMs) {
    return wait(turn, `${state.desired.target} workers to begin; ${welcomed} here`);
  }
  state.startWaitUntilMs = 0;
  if (state.waitingFor !== '') state.waitingFor = '';
  return true;
}

function wait(turn: Turn, what: string): false {
  if (turn.state.waitingFor !== what) note(turn, 'waiting', null, `waits for ${what}`);
  turn.state.waitingFor = what;
  return false;
}

interface Candidate {
  readonly record: WorkerRecord;
  /** Time of a slot, known or assumed. */
  readonly slotMs: number;
  load: number;
}

function candidatesOf({ state }: Turn, able: readonly WorkerRecord[]): Candidate[] {
  // Nobody knows yet how fast a newcomer is: as fast as the fastest, so that it gets work and shows it.
  let fastestMs: number | null = null;
  for (const { slotMs } of able) if (slotMs !== null) fastestMs = Math.min(fastestMs ?? slotMs, slotMs);
  const assumedMs = fastestMs ?? 1;
  const loads = loadByWorker(state);
  return able.map((record) => ({
    record,
    slotMs: record.slotMs ?? assumedMs,
    load: loads.get(record.id) ?? 0,
  }));
}

/** Who would finish one more slot first; when that one is full, the slot waits for it rather than for a slow one. */
function soonestToFinish(candidates: readonly Candidate[]): Candidate | null {
  let best: Candidate | null = null;
  let bestMs = Infinity;
  for (const candidate of candidates) {
    const finishMs = (candidate.load + 1) * candidate.slotMs;
    if (finishMs < bestMs) [best, bestMs] = [candidate, finishMs];
  }
  return best;
}
