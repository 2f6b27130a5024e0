// Granting slots: a few at a time, to whoever is expected to finish first (PROTOCOL 4.1).
import type { WorkerId } from '@cria/runtime';
import { membersOf, workingMembers, type LeaderState, type WorkerRecord } from './leader-state.js';
import { note, type Turn } from './turn.js';

/** Slots granted ahead: one computed, one waiting, so that no worker idles for a round trip. */
const GRANTS_AHEAD = 2;

/** Grants open slots. Returns false while slots stay open. */
export function grantOpenSlots(turn: Turn): boolean {
  const { state } = turn;
  const open = state.slots.flatMap((slot, k) => (slot.kind === 'open' ? [k] : []));
  if (open.length === 0) return true;
  const able = workingMembers(state);
  if (!mayGrant(turn, able)) return false;
  const load = new Map(able.map((member) => [member.id, grantedCount(state, member.id)]));
  const grants = new Map<WorkerId, number[]>();
  for (const slot of open) {
    const best = soonestToFinish(able, load);
    if (best === null || (load.get(best.id) ?? 0) >= GRANTS_AHEAD) break;
    take(turn, best, slot);
    load.set(best.id, (load.get(best.id) ?? 0) + 1);
    grants.set(best.id, [...(grants.get(best.id) ?? []), slot]);
  }
  for (const [worker, slots] of grants) turn.effects.push({ do: 'grant', worker, step: state.next, slots });
  return state.slots.every((slot) => slot.kind !== 'open');
}

/** Takes note of a finished slot and of how long the worker needs for one. */
export function slotIsDone(
  turn: Turn,
  record: WorkerRecord,
  done: { step: number; slot: number; computeMs: number },
): void {
  const { state, nowMs } = turn;
  record.busySinceMs = nowMs;
  record.slotMs = record.slotMs === null ? done.computeMs : 0.7 * record.slotMs + 0.3 * done.computeMs;
  const slot = state.slots[done.slot];
  if (done.step !== state.next || slot?.kind !== 'granted' || slot.worker !== record.id) return;
  state.slots[done.slot] = { kind: 'done', worker: record.id };
}

/** Whether the slot that a member computes takes suspiciously long, whatever its heartbeats say. */
export function isOverdue(state: LeaderState, record: WorkerRecord, nowMs: number): boolean {
  if (record.slotMs === null || grantedCount(state, record.id) === 0) return false;
  return nowMs - record.busySinceMs > Math.max(state.rules.suspectMs, 4 * record.slotMs) + record.slotMs;
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

function take(turn: Turn, record: WorkerRecord, slot: number): void {
  const { state, nowMs } = turn;
  if (grantedCount(state, record.id) === 0) record.busySinceMs = nowMs;
  state.slots[slot] = { kind: 'granted', worker: record.id, sinceMs: nowMs };
}

function grantedCount(state: LeaderState, worker: WorkerId): number {
  return state.slots.reduce((n, slot) => n + (slot.kind === 'granted' && slot.worker === worker ? 1 : 0), 0);
}

/** Who would finish one more slot first; when that one is full, the slot waits for it rather than for a slow one. */
function soonestToFinish(
  able: readonly WorkerRecord[],
  load: ReadonlyMap<WorkerId, number>,
): WorkerRecord | null {
  let best: WorkerRecord | null = null;
  let bestMs = Infinity;
  // Nobody knows yet how fast a newcomer is: as fast as the fastest, so that it gets work and shows it.
  const knownMs = able.flatMap(({ slotMs }) => (slotMs === null ? [] : [slotMs]));
  const assumedMs = knownMs.length === 0 ? 1 : Math.min(...knownMs);
  for (const member of able) {
    const finishMs = ((load.get(member.id) ?? 0) + 1) * (member.slotMs ?? assumedMs);
    if (finishMs < bestMs) [best, bestMs] = [member, finishMs];
  }
  return best;
}
