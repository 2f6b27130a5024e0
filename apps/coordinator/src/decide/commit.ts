// From prepared gradients to the ledger (PROTOCOL 4.5, 4.7).
import type { WorkerId } from '@cria/runtime';
import type { AppendOutcome, StripeOrder } from './leader-events.js';
import { finishEvaluation, evaluationIsComplete } from './evaluate.js';
import {
  membersOf,
  openSlots,
  slotsOf,
  workersByAge,
  type LeaderState,
  type PreparedGradient,
} from './leader-state.js';
import { orderStripes } from './checkpoint.js';
import { loseWorker } from './lose.js';
import { note, type Turn } from './turn.js';

/**
 * Appends the step when every member of the newest Exchange that is still here has prepared the same.
 *
 * @returns true when the step had to be begun anew instead: there is more to decide
 */
export function tryCommit(turn: Turn): boolean {
  const { state } = turn;
  const { exchange } = state;
  if (exchange === null || state.committing) return false;
  const rest = membersOf(state).filter((member) => exchange.sets.has(member.id));
  const gradients = rest.map((member) => state.prepared.get(member.id));
  if (rest.length === 0 || gradients.some((gradient) => gradient === undefined)) return false;
  const first = gradients[0] as PreparedGradient;
  if (!settleDifferences(turn, gradients as PreparedGradient[])) return true;
  if (!evaluationIsComplete(state)) return false;
  state.committing = true;
  turn.effects.push({
    do: 'append',
    step: state.next,
    attempt: exchange.attempt,
    gradient: first,
    members: sharesOf(state),
  });
  return false;
}

/** Who computed which slots, the dead included whose work the sum holds. */
function sharesOf(state: LeaderState): Array<{ worker: WorkerId; slots: number[] }> {
  const shares = new Map<WorkerId, number[]>();
  state.slots.forEach((slot, k) => {
    if (slot.kind !== 'open') shares.set(slot.worker, [...(shares.get(slot.worker) ?? []), k]);
  });
  return [...shares].map(([worker, slots]) => ({ worker, slots }));
}

/** The ledger has answered. */
export function takeAppended(turn: Turn, step: number, outcome: AppendOutcome): void {
  const { state } = turn;
  if (step !== state.next) return;
  state.committing = false;
  if (outcome.kind === 'step-down')
    return void turn.effects.push({ do: 'step-down', why: outcome.why, termAtLeast: 0 });
  if (outcome.kind === 'diverged') {
    state.ending = 'failed';
    state.failure = outcome.why;
    return;
  }
  if (outcome.verdict === 'stop') {
    state.ending = 'failed';
    state.failure = `the run's rule for anomalies stopped it at step ${step}`;
  }
  publish(turn, outcome.gradDigest);
}

function publish(turn: Turn, gradDigest: string): void {
  const { state, nowMs } = turn;
  const step = state.next;
  const members = membersOf(state);
  finishEvaluation(turn);
  turn.effects.push({
    do: 'measured',
    step,
    stepMs: nowMs - state.stepStartedMs,
    attempts: Math.max(1, state.attemptsThisStep),
    lostMs: state.lostMs,
    members: state.exchange?.sets.size ?? members.length,
  });
  if (step < state.head) {
    note(turn, 'step-replayed', null, `step ${step} was computed again: the same as in the ledger`);
  }
  state.head = Math.max(state.head, step + 1);
  rememberGradient(state, step, gradDigest);
  state.lastMembers = members.map((member) => member.id);
  const stripes: StripeOrder = orderStripes(turn, step + 1, 'commit');
  const listeners = workersByAge(state).filter(
    (worker) => worker.role === 'member' || worker.role === 'shadow',
  );
  turn.effects.push({ do: 'commit', to: listeners.map((worker) => worker.id), step, stripes });
  openStep(turn, step + 1);
}

function openStep(turn: Turn, step: number): void {
  const { state, nowMs } = turn;
  forgiveTheIdle(state);
  state.next = step;
  state.slots = openSlots(state.rules.slots);
  state.slotDeaths.fill(0);
  state.exchange = null;
  state.prepared.clear();
  state.complaints = [];
  state.stepStartedMs = nowMs;
  state.lostMs = 0;
  state.attemptsThisStep = 0;
  for (const worker of workersByAge(state)) {
    worker.reduced = null;
    if (worker.role === 'member') {
      worker.position = step;
      worker.appliedDigest = null;
    } else if (worker.caughtUp) {
      worker.role = 'member';
      worker.position = step;
      worker.appliedDigest = null;
      worker.caughtUp = false;
      turn.effects.push({ do: 'welcome', worker: worker.id, role: 'member', step, keep: [], donors: [] });
      note(turn, 'worker-joined', worker.id, `${worker.id} is a member from step ${step}`);
    }
  }
}

/**
 * Who held no slot of the step is taken for a little faster than before, so that one slow slot (a warm-up, a busy
 * second) does not idle a machine for the rest of the run.
 */
function forgiveTheIdle(state: LeaderState): void {
  const known = membersOf(state).flatMap(({ slotMs }) => (slotMs === null ? [] : [slotMs]));
  const fastestMs = Math.min(...known);
  for (const member of membersOf(state)) {
    if (member.slotMs === null || slotsOf(state, member.id).length > 0) continue;
    member.slotMs = Math.max(fastestMs, 0.7 * member.slotMs);
  }
}

/** Applied digests of members at one position must be equal: who differs has a damaged state. */
export function takeApplied(turn: Turn, id: string, step: number, stateDigest: string): void {
  const { state } = turn;
  const record = workersByAge(state).find((worker) => worker.id === id);
  if (record === undefined || record.role !== 'member' || step !== record.position) return;
  record.appliedDigest = stateDigest;
}

/**
 * All gradients and states equal: true. Otherwise the minority goes; of two, the one that contradicts its own Applied
 * digest; when nothing tells them apart, the sum is made again.
 */
function settleDifferences(turn: Turn, gradients: readonly PreparedGradient[]): boolean {
  const { state } = turn;
  const key = (gradient: PreparedGradient): string => `${gradient.gradDigest}/${gradient.stateDigest}`;
  const votes = new Map<string, number>();
  for (const gradient of gradients) votes.set(key(gradient), (votes.get(key(gradient)) ?? 0) + 1);
  if (votes.size === 1) return true;
  const contradictsItself = membersOf(state).find((member) => {
    const gradient = state.prepared.get(member.id);
    return (
      gradient !== undefined && member.appliedDigest !== null && gradient.stateDigest !== member.appliedDigest
    );
  });
  const top = [...votes].sort((a, b) => b[1] - a[1]);
  const majority = (top[0]?.[1] ?? 0) > (top[1]?.[1] ?? 0) ? top[0]?.[0] : undefined;
  const culprit =
    contradictsItself ??
    membersOf(state).find((member) => {
      const gradient = state.prepared.get(member.id);
      return majority !== undefined && gradient !== undefined && key(gradient) !== majority;
    });
  state.voidNext = true;
  if (culprit !== undefined) {
    note(
      turn,
      'damage-found',
      culprit.id,
      `${culprit.id}'s digests at step ${state.next} differ from the others'`,
    );
    loseWorker(turn, culprit, { why: 'its digests differ', evict: true });
  } else note(turn, 'damage-found', null, `digests at step ${state.next} differ: the sum is made again`);
  startAnew(turn);
  return false;
}

/** Nothing that was summed or computed for this step counts. */
function startAnew(turn: Turn): void {
  const { state } = turn;
  state.prepared.clear();
  state.exchange = null;
  for (const member of membersOf(state)) {
    if (slotsOf(state, member.id).length === 0) continue;
    turn.effects.push({
      do: 'welcome',
      worker: member.id,
      role: 'member',
      step: state.next,
      keep: [],
      donors: [],
    });
  }
  state.slots = openSlots(state.rules.slots);
}

/** Enough to tell whether a worker that comes back holds the gradient of the newest entry. */
function rememberGradient(state: LeaderState, step: number, gradDigest: string): void {
  state.gradDigests.set(step, gradDigest);
  if (state.gradDigests.size > 256) {
    for (const old of state.gradDigests.keys()) {
      if (state.gradDigests.size <= 256) break;
      state.gradDigests.delete(old);
    }
  }
}
