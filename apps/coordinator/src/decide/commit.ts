// From prepared gradients to the ledger (PROTOCOL 4.5, 4.7).
import { workerId, type WorkerId } from '@cria/runtime';
import type { AppendOutcome, StripeOrder } from './leader-events.js';
import { finishEvaluation, evaluationIsComplete } from './evaluate.js';
import { membersOf, slotsByWorker, workersByAge } from './leader-questions.js';
import type { LeaderState, EntryDigests, PreparedGradient, WorkerRecord } from './leader-state.js';
import { askForEntries } from './entries.js';
import { beginStep } from './begin-step.js';
import { orderStripes } from './checkpoint.js';
import { startAnew } from './drop-work.js';
import { dismiss, preparedAgree } from './settle.js';
import { askForSpares, recomputedSlots, spareResults } from './verify.js';
import { note, type Turn } from './turn.js';

const ENTRIES_KEPT = 256;

/**
 * Appends the step when every member of the newest Exchange that is still here has prepared the same.
 *
 * @returns true when the step had to be begun anew instead: there is more to decide
 */
export function tryCommit(turn: Turn): boolean {
  const { state } = turn;
  const { exchange } = state;
  if (exchange === null || state.committing || state.prepared.size === 0) return false;
  const rest = membersOf(state).filter((member) => exchange.sets.has(member.id));
  const prepared = new Map<WorkerRecord, PreparedGradient>();
  for (const member of rest) {
    const gradient = state.prepared.get(member.id);
    if (gradient === undefined) return false;
    prepared.set(member, gradient);
  }
  const [first] = prepared.values();
  if (first === undefined) return false;
  if (!preparedAgree(turn, prepared)) return true;
  const spares = spareResults(turn, first);
  if (spares !== 'equal') {
    askForSpares(turn);
    return spares === 'anew';
  }
  if (!evaluationIsComplete(state)) return false;
  state.committing = true;
  turn.effects.push({
    do: 'append',
    step: state.next,
    attempt: exchange.attempt,
    gradient: first,
    members: sharesOf(state),
    recomputed: recomputedSlots(state),
  });
  return false;
}

/** Stands in an entry for whoever computed a slot that the sum holds, and was gone before this leader came. */
const GONE = workerId('gone');

/** Who computed which slots, the dead included whose work the sum holds. */
function sharesOf(state: LeaderState): Array<{ worker: WorkerId; slots: number[] }> {
  const shares = new Map<WorkerId, number[]>();
  state.slots.forEach((slot, k) => {
    const worker = slot.kind === 'open' ? GONE : slot.worker;
    shares.set(worker, [...(shares.get(worker) ?? []), k]);
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
  publish(turn, outcome.entry);
}

function publish(turn: Turn, entry: EntryDigests): void {
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
  rememberEntry(state, step, entry);
  // Who waits ahead may have what follows.
  for (const hello of state.hellos.values()) askForEntries(turn, hello);
  const stripes: StripeOrder = orderStripes(turn, step + 1, 'commit');
  state.lastMembers = members.map((member) => member.id);
  const listeners = workersByAge(state).filter(
    (worker) => worker.role === 'member' || worker.role === 'shadow',
  );
  turn.effects.push({ do: 'commit', to: listeners.map((worker) => worker.id), step, stripes });
  openStep(turn, step + 1);
}

function openStep(turn: Turn, step: number): void {
  const { state, nowMs } = turn;
  forgiveTheIdle(state);
  state.flaps = Math.max(0, state.flaps - 1);
  beginStep(turn, step);
  for (const worker of workersByAge(state)) {
    worker.reduced = null;
    if (worker.isUnproven) worker.unprovenSteps += 1;
    if (worker.role === 'member') {
      worker.position = step;
      worker.appliedDigest = null;
      worker.applyingSinceMs = nowMs;
    } else if (worker.caughtUp) {
      worker.role = 'member';
      worker.position = step;
      worker.appliedDigest = null;
      worker.applyingSinceMs = nowMs;
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
  const members = membersOf(state);
  const known = members.flatMap(({ slotMs }) => (slotMs === null ? [] : [slotMs]));
  const fastestMs = Math.min(...known);
  const slots = slotsByWorker(state);
  for (const member of members) {
    if (member.slotMs === null || slots.has(member.id)) continue;
    member.slotMs = Math.max(fastestMs, 0.7 * member.slotMs);
  }
}

/** A state that is read again must be what it was when it was written. */
export function takeApplied(turn: Turn, record: WorkerRecord, step: number, stateDigest: string): void {
  if (record.role !== 'member' || step !== record.position) return;
  const before = record.appliedDigest;
  if (before !== null && before !== stateDigest) {
    dismiss(turn, record, `its state of step ${step} has changed since it was written`);
    return startAnew(turn);
  }
  record.appliedDigest = stateDigest;
  if (record.applyingSinceMs === null) return;
  const tookMs = turn.nowMs - record.applyingSinceMs;
  record.applyMs = record.applyMs === null ? tookMs : 0.7 * record.applyMs + 0.3 * tookMs;
  record.applyingSinceMs = null;
}

/** Enough to tell whether a worker that comes back is where the ledger was, and holds the newest entry's gradient. */
function rememberEntry(state: LeaderState, step: number, entry: EntryDigests): void {
  state.entries.set(step, entry);
  for (const old of state.entries.keys()) {
    if (state.entries.size <= ENTRIES_KEPT) break;
    state.entries.delete(old);
  }
}
