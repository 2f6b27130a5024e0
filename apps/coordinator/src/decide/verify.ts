// Slots that are computed twice: by sample, because they were flagged, or to prove a newcomer (PROTOCOL 4.5, section 6).
// A spare adds nothing; its L is held against what the sum says of the slot, before the step is committed.
import type { WorkerId } from '@cria/runtime';
import { loadOf, workingMembers } from './leader-questions.js';
import type { LeaderState, PreparedGradient, SpareRecord, WorkerRecord } from './leader-state.js';
import { isSampled } from './sample.js';
import { startAnew } from './drop-work.js';
import { beginAllAnew, dismiss, mostOf } from './settle.js';
import type { Turn } from './turn.js';

/** One computed, one waiting: as with slots that are added. */
const LOAD_MAX = 2;

/** So many steps pass before the run waits for a newcomer's first slot. */
const UNPROVEN_STEPS_MAX = 2;

/** Asks for second computations of slots that are granted: elsewhere, if there is an elsewhere. */
export function askForSpares(turn: Turn): void {
  const { state } = turn;
  const able = workingMembers(state);
  state.slots.forEach((record, slot) => {
    // Whoever computed it may be gone while its share is in a sum that somebody has.
    const isInSum = record.kind !== 'open' || state.prepared.size > 0;
    if (!isInSum || state.spares.has(slot) || !isWanted(state, slot)) return;
    const others = able.filter(({ id }) => record.kind === 'open' || id !== record.worker);
    // Alone, a worker computes it again when everything else is done.
    const candidates = others.length > 0 ? others : record.kind === 'done' ? able : [];
    ask(turn, slot, candidates);
  });
  for (const member of able) if (member.isUnproven) proveBy(turn, member);
}

/** An answer, or what a worker that came back still knew. */
export function takeSpare(turn: Turn, worker: WorkerId, slot: number, digest: string): void {
  const { state } = turn;
  const spares = state.spares.get(slot) ?? [];
  const asked = spares.find((spare) => spare.worker === worker && spare.digest === null);
  if (asked !== undefined) asked.digest = digest;
  else if (!spares.some((spare) => spare.worker === worker)) spares.push({ worker, digest });
  state.spares.set(slot, spares);
  trustTheEqual(state);
}

/** A newcomer whose slot came out as another worker's did is a member like the others. */
export function trustTheEqual(state: LeaderState): void {
  for (const [slot, spares] of state.spares) {
    const facts = state.slotFacts.get(slot);
    if (facts === undefined) continue;
    for (const { worker, digest } of spares) {
      const record = state.workers.get(worker);
      if (record !== undefined && digest === facts.digest) record.isUnproven = false;
    }
  }
}

/** Spares that a lost worker owed are asked of another. */
export function forgetSparesOf(state: LeaderState, worker: WorkerId): void {
  for (const [slot, spares] of state.spares) {
    const left = spares.filter((spare) => spare.worker !== worker || spare.digest !== null);
    if (left.length === spares.length) continue;
    if (left.length > 0) state.spares.set(slot, left);
    else state.spares.delete(slot);
  }
}

/**
 * Holds every second L against the sum.
 *
 * - `equal`: all that have to be there are, and none differs.
 * - `wait`: one is missing.
 * - `anew`: somebody computes wrongly; the step begins anew.
 */
export function spareResults(turn: Turn, gradient: PreparedGradient): 'equal' | 'wait' | 'anew' {
  const { state } = turn;
  let result: 'equal' | 'wait' = 'equal';
  for (let slot = 0; slot < state.rules.slots; slot++) {
    const facts = gradient.slotFacts(slot);
    // A new leader has not heard SlotDone.
    state.slotFacts.set(slot, facts);
    const spares = state.spares.get(slot) ?? [];
    if (spares.some(({ digest }) => digest !== null && digest !== facts.digest)) {
      const settled = settleDispute(turn, slot, facts.digest);
      if (settled === 'anew') return 'anew';
      result = 'wait';
    } else if (isWanted(state, slot) && !spares.some(({ digest }) => digest !== null)) result = 'wait';
  }
  trustTheEqual(state);
  return result;
}

/** Slots of the step that were computed at least twice. */
export function recomputedSlots(state: LeaderState): number[] {
  const slots = [...state.spares].filter(([, spares]) => spares.some(({ digest }) => digest !== null));
  return slots.map(([slot]) => slot).sort((a, b) => a - b);
}

function isWanted(state: LeaderState, slot: number): boolean {
  if (state.mustRecompute.has(slot) || state.slotFacts.get(slot)?.flagged === true) return true;
  const { genesis, recomputeFraction } = state.rules;
  return isSampled({ genesis, step: state.next, slot }, recomputeFraction);
}

/** Two computations differ: a third one decides, if there is a third worker. */
function settleDispute(turn: Turn, slot: number, first: string): 'wait' | 'anew' {
  const { state } = turn;
  const spares = state.spares.get(slot) ?? [];
  if (spares.some(({ digest }) => digest === null)) return 'wait';
  const results = [{ worker: holderOf(state, slot), digest: first }, ...spares];
  const right = mostOf(results.map(({ digest }) => digest ?? ''));
  if (right === null) {
    const others = workingMembers(state).filter(({ id }) => !results.some(({ worker }) => worker === id));
    if (others.length === 0) return undecided(turn, slot);
    ask(turn, slot, others, Infinity);
    return 'wait';
  }
  for (const { worker, digest } of results) {
    const culprit = worker === null ? undefined : state.workers.get(worker);
    if (digest !== right && culprit !== undefined)
      dismiss(turn, culprit, `it computes slot ${slot} of step ${state.next} wrongly`);
  }
  startAnew(turn);
  return 'anew';
}

/** Nobody can tell. Once more from the newest checkpoint; if they differ again, a person has to look. */
function undecided(turn: Turn, slot: number): 'anew' {
  const { state } = turn;
  const key = `${state.next}/${slot}`;
  if (state.disputed.has(key)) {
    state.ending = 'failed';
    state.failure = `the computations of slot ${slot} of step ${state.next} differ again after a reload`;
  } else beginAllAnew(turn, `two computations of slot ${slot} of step ${state.next} differ`);
  state.disputed.add(key);
  startAnew(turn);
  return 'anew';
}

/** A newcomer's first slot is one that another computes, too. */
function proveBy(turn: Turn, newcomer: WorkerRecord): void {
  const { state } = turn;
  const isAsked = [...state.spares.values()].some((spares) =>
    spares.some(({ worker }) => worker === newcomer.id),
  );
  if (isAsked) return;
  const others = state.slots.flatMap((record, slot) =>
    record.kind !== 'open' && record.worker !== newcomer.id ? [slot] : [],
  );
  const slot = others.find((other) => !state.spares.has(other)) ?? others[0];
  if (slot === undefined) return;
  if (newcomer.unprovenSteps > UNPROVEN_STEPS_MAX) state.mustRecompute.add(slot);
  ask(turn, slot, [newcomer]);
}

function ask(turn: Turn, slot: number, candidates: readonly WorkerRecord[], loadMax = LOAD_MAX): void {
  const { state, nowMs } = turn;
  const loaded = candidates.map((record) => ({ record, load: loadOf(state, record.id) }));
  const [best] = loaded.filter(({ load }) => load < loadMax).sort((a, b) => a.load - b.load);
  if (best === undefined) return;
  if (best.load === 0) best.record.busySinceMs = nowMs;
  const spare: SpareRecord = { worker: best.record.id, digest: null };
  state.spares.set(slot, [...(state.spares.get(slot) ?? []), spare]);
  turn.effects.push({ do: 'grant', worker: spare.worker, step: state.next, slots: [], spares: [slot] });
}

function holderOf(state: LeaderState, slot: number): WorkerId | null {
  const record = state.slots[slot];
  return record === undefined || record.kind === 'open' ? null : record.worker;
}
