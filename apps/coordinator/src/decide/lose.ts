// A worker is gone: what it held is open again, everybody else's work stays (PROTOCOL 4.7).
import type { WorkerId } from '@cria/runtime';
import { startAnew } from './drop-work.js';
import { membersOf, slotsOf } from './leader-questions.js';
import { removeWorker, type LeaderState, type WorkerRecord } from './leader-state.js';
import { countFlap } from './seats.js';
import { note, type Turn } from './turn.js';
import { forgetSparesOf } from './verify.js';

export interface Loss {
  readonly why: string;
  /** It is about to be placed again: no event for people. */
  readonly quiet?: boolean;
  readonly evict?: boolean;
}

/** Removes a worker and takes back what only it had. */
export function loseWorker(turn: Turn, record: WorkerRecord, loss: Loss): void {
  const { state, nowMs } = turn;
  if (!removeWorker(state, record.id)) return;
  state.hellos.delete(record.id);
  if (loss.evict === true)
    turn.effects.push({ do: 'evict', worker: record.id, why: loss.why, mayReturn: true });
  if (loss.quiet !== true) {
    note(
      turn,
      record.leaving !== null ? 'worker-left' : 'worker-lost',
      record.id,
      `${record.id}: ${loss.why}`,
    );
  }
  const slots = slotsOf(state, record.id);
  const hadPart =
    slots.length > 0 || state.exchange?.sets.has(record.id) === true || state.prepared.has(record.id);
  state.prepared.delete(record.id);
  state.complaints = state.complaints.filter(
    ({ accuser, accused }) => accuser !== record.id && accused !== record.id,
  );
  forgetEvaluations(turn, record.id);
  forgetSparesOf(state, record.id);
  if (loss.quiet !== true && record.leaving === null) countFlap(turn, record);
  giveUpStripes(turn, record.id);
  // A shadow, or a member without a slot of this step: nobody waits for it.
  if (!hadPart) return;
  if (slots.length > 0 && record.role === 'member') state.lostMs += Math.max(0, nowMs - state.stepStartedMs);
  if (loss.quiet !== true && record.leaving === null) for (const slot of slots) countDeath(turn, slot);
  if (state.committing || (state.rules.onLoss === 'salvage' && survivorsHaveTheSum(turn))) return;
  state.exchange = null;
  reopen(turn, slotsOfTheGone(state));
}

/** Slots of everybody who is not here any more: while somebody had the whole sum, those of the lost were not needed. */
function slotsOfTheGone(state: LeaderState): number[] {
  return state.slots.flatMap((slot, k) =>
    slot.kind !== 'open' && !state.workers.has(slot.worker) ? [k] : [],
  );
}

/**
 * Whoever prepared the step has its whole sum, so that nothing has to be computed again. A running exchange goes on
 * if its remaining members have all prepared (tryCommit sees to it); otherwise startExchange lets the others copy.
 */
function survivorsHaveTheSum(turn: Turn): boolean {
  const { state } = turn;
  if (state.prepared.size === 0) return false;
  const exchange = state.exchange;
  const rest = exchange === null ? [] : membersOf(state).filter((member) => exchange.sets.has(member.id));
  if (rest.length === 0 || !rest.every((member) => state.prepared.has(member.id))) state.exchange = null;
  return true;
}

function reopen(turn: Turn, slots: readonly number[]): void {
  const { state } = turn;
  if (state.rules.onLoss === 'discard') {
    // For comparison alone: the whole step is computed again, as systems without salvage do.
    return startAnew(turn);
  }
  for (const slot of slots) {
    state.slots[slot] = { kind: 'open' };
    state.releasing.delete(slot);
  }
}

/** A slot whose holder died three times stops the run by name: it would kill every worker in turn. */
function countDeath(turn: Turn, slot: number): void {
  const { state } = turn;
  if (state.slots[slot]?.kind !== 'granted') return;
  const deaths = (state.slotDeaths[slot] ?? 0) + 1;
  state.slotDeaths[slot] = deaths;
  if (deaths < 3) return;
  state.ending = 'failed';
  state.failure = `slot ${slot} of step ${state.next} was being computed by three workers when they died`;
}

function forgetEvaluations(turn: Turn, worker: WorkerId): void {
  const { evaluation } = turn.state;
  if (evaluation === null) return;
  evaluation.asked.forEach((asked, index) => {
    if (asked !== worker || evaluation.results[index] !== null) return;
    evaluation.asked[index] = null;
    const deaths = (evaluation.deaths[index] ?? 0) + 1;
    evaluation.deaths[index] = deaths;
    if (deaths >= 2) evaluation.results[index] = 'lost';
  });
}

/** A checkpoint that the worker held a part of cannot be finished; it is ordered again at rest, or the next one comes. */
function giveUpStripes(turn: Turn, worker: WorkerId): void {
  const { state } = turn;
  if (state.checkpoint?.stripes.some((stripe) => stripe.worker === worker) !== true) return;
  turn.effects.push({ do: 'abandon-checkpoint', step: state.checkpoint.step });
  note(
    turn,
    'checkpoint-failed',
    worker,
    `checkpoint of step ${state.checkpoint.step} was given up: ${worker} held a part of it`,
  );
  state.checkpoint = null;
}
