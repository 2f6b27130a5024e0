// Exchanges: who sums what with whom, and who is dropped when it does not work (PROTOCOL 4.3, 4.8).
import type { WorkerId } from '@cria/runtime';
import { dropWorkOf } from './drop-work.js';
import { membersOf, slotsByWorker, slotsOf, workersByAge } from './leader-questions.js';
import type { LeaderState, PreparedGradient, WorkerRecord } from './leader-state.js';
import { loseWorker } from './lose.js';
import { note, type Turn } from './turn.js';

/** Sends a new Exchange: every slot is granted (or somebody has the sum already). */
export function startExchange(turn: Turn): void {
  const { state, nowMs } = turn;
  const all = membersOf(state);
  const from = all.flatMap((member) => (state.prepared.has(member.id) ? [member.id] : []));
  const members = all.filter((member) => member.position === state.next);
  const slots = slotsByWorker(state);
  const takesPart = members.filter((member) => from.length > 0 || slots.has(member.id));
  if (takesPart.length === 0) return;
  state.attempt += 1;
  state.attemptsThisStep += 1;
  const sets = takesPart.map((member) => ({ worker: member.id, slots: slots.get(member.id) ?? [] }));
  state.exchange = {
    attempt: state.attempt,
    sets: new Map(sets.map(({ worker, slots }) => [worker, slots])),
    from,
    void: state.voidNext,
    startedMs: nowMs,
  };
  if (state.voidNext) state.newestVoid = { termNumber: state.term.number, attempt: state.attempt };
  // Members without a slot of this step (more workers than slots) copy the sum as shadows do.
  const listeners = workersByAge(state).filter(
    (worker) => worker.role === 'member' || worker.role === 'shadow',
  );
  sendExchange(
    turn,
    listeners.map((worker) => worker.id),
  );
  state.voidNext = false;
  if (state.attemptsThisStep > 1) {
    note(
      turn,
      'exchange-repeated',
      null,
      `step ${state.next}: exchange ${state.attemptsThisStep} with ${sets.length} workers`,
    );
  }
}

/** The running Exchange once more, for a worker that came after it was sent: the same bytes. */
export function repeatExchangeTo(turn: Turn, worker: WorkerId): void {
  sendExchange(turn, [worker]);
}

function sendExchange(turn: Turn, to: readonly WorkerId[]): void {
  const { exchange, next } = turn.state;
  if (exchange === null) return;
  const sets = [...exchange.sets].map(([worker, slots]) => ({ worker, slots }));
  const { attempt, from } = exchange;
  turn.effects.push({ do: 'exchange', to, step: next, attempt, sets, from, void: exchange.void });
}

export function takePrepared(
  turn: Turn,
  record: WorkerRecord,
  attempt: number,
  gradient: PreparedGradient,
): void {
  const { state } = turn;
  if (state.exchange === null || gradient.step !== state.next || state.voidNext) return;
  if (attempt > state.attempt || isVoid(state, gradient)) return;
  record.reduced = gradient;
  state.prepared.set(record.id, gradient);
}

/** It comes from before the newest void Exchange. */
export function isVoid({ newestVoid }: LeaderState, { mark }: PreparedGradient): boolean {
  if (newestVoid === null) return false;
  return mark.termNumber < newestVoid.termNumber
    ? true
    : mark.termNumber === newestVoid.termNumber && mark.attempt < newestVoid.attempt;
}

/** A complaint waits for others, so that the one that most of them name is dropped. */
export function takeComplaint(
  turn: Turn,
  complaint: {
    accuser: WorkerId;
    accused: WorkerId | null;
    attempt: number;
    slots: readonly number[];
    why: string;
  },
): void {
  const { state, nowMs } = turn;
  if (state.exchange === null || complaint.attempt !== state.exchange.attempt) return;
  note(turn, 'damage-found', complaint.accuser, `exchange ${complaint.attempt}: ${complaint.why}`);
  if (complaint.slots.length > 0) return dropDoubledSlots(turn, complaint.slots);
  if (state.complaints.length === 0) state.complaintsUntilMs = nowMs + state.rules.blockedMs;
  state.complaints.push({ accuser: complaint.accuser, accused: complaint.accused });
}

/** Drops whoever is in most complaints, as accuser or accused; among equals the youngest. */
export function settleComplaints(turn: Turn): void {
  const { state, nowMs } = turn;
  if (state.complaints.length === 0 || nowMs < state.complaintsUntilMs) return;
  const mentions = new Map<WorkerId, number>();
  for (const { accuser, accused } of state.complaints) {
    for (const id of new Set([accuser, accused]))
      if (id !== null) mentions.set(id, (mentions.get(id) ?? 0) + 1);
  }
  state.complaints = [];
  const byAge = workersByAge(state);
  const worst = byAge.reduce<WorkerRecord | null>((top, record) => {
    const count = mentions.get(record.id) ?? 0;
    return count > 0 && (top === null || count >= (mentions.get(top.id) ?? 0)) ? record : top;
  }, null);
  if (worst !== null)
    loseWorker(turn, worst, { why: 'named in most complaints about an exchange', evict: true });
  else state.exchange = null;
}

/** A slot is in the sum twice or not at all: who holds it starts this step again, and nobody's word on it counts. */
function dropDoubledSlots(turn: Turn, slots: readonly number[]): void {
  const { state } = turn;
  const bad = new Set(slots);
  for (const member of membersOf(state)) {
    const own = slotsOf(state, member.id);
    if (!own.some((slot) => bad.has(slot))) continue;
    for (const slot of own) state.slots[slot] = { kind: 'open' };
    dropWorkOf(turn, member.id);
  }
  for (const slot of bad) state.slots[slot] = { kind: 'open' };
  state.prepared.clear();
  state.exchange = null;
  state.voidNext = true;
}
