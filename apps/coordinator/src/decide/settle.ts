// Digests that differ: who goes, and what is made again (PROTOCOL 4.5, section 6).
import { startAnew } from './drop-work.js';
import { membersOf, workersByAge } from './leader-questions.js';
import type { PreparedGradient, WorkerRecord } from './leader-state.js';
import { loseWorker } from './lose.js';
import { note, type Turn } from './turn.js';

/** So often the sum of a step is made again before its states are no longer believed. */
const SUMS_MAX = 2;

/**
 * State digests as members reported them when they had applied the last step, once all have. Who differs from the
 * ledger or from most goes; of two, nobody can tell: both begin anew from the newest checkpoint.
 *
 * @returns true when they agree, as far as they are known
 */
export function statesAgree(turn: Turn): boolean {
  const { state } = turn;
  const known = state.entries.get(state.next)?.stateDigest;
  // Asked at every message, of a thousand members: nothing is copied before something differs.
  let wanted = known ?? null;
  let differs = false;
  for (const { role, position, appliedDigest } of workersByAge(state)) {
    if (role !== 'member' || position !== state.next) continue;
    if (appliedDigest === null) return true;
    wanted ??= appliedDigest;
    if (appliedDigest !== wanted) differs = true;
  }
  if (!differs) {
    if (state.agreedDigest === null && wanted !== null) agreeOn(turn, wanted);
    return true;
  }
  const members = membersOf(state).filter((member) => member.position === state.next);
  const right = known ?? mostOf(members.map(({ appliedDigest }) => appliedDigest ?? ''));
  if (right === null) beginAllAnew(turn, `the states of step ${state.next} differ`);
  else {
    const wrong = members.filter(({ appliedDigest }) => appliedDigest !== right);
    if (wrong.length === 0) return true;
    for (const member of wrong) dismiss(turn, member, `its state of step ${state.next} differs`);
  }
  startAnew(turn);
  return false;
}

/** The digest stays for the step, whoever of those that told it goes. */
function agreeOn(turn: Turn, digest: string): void {
  turn.state.agreedDigest = digest;
  for (const record of workersByAge(turn.state)) dismissWrongCopy(turn, record);
}

/**
 * A state that was copied is held against what its donors said when they had written theirs: a donor may have been
 * damaged since, and be gone by now.
 *
 * @returns true when it was another, and the worker was sent away
 */
export function dismissWrongCopy(turn: Turn, record: WorkerRecord): boolean {
  const { agreedDigest, next } = turn.state;
  const { isUnproven, position, appliedDigest } = record;
  if (!isUnproven || position !== next || agreedDigest === null || appliedDigest === null) return false;
  if (appliedDigest === agreedDigest) return false;
  dismiss(turn, record, `its copy of the state of step ${next} is not what the members wrote`);
  readAgain(turn);
  return true;
}

/** A Store of nothing: who waits at rest sends no Prepare that would tell what has become of its state. */
function readAgain(turn: Turn): void {
  const { state } = turn;
  const to = membersOf(state).flatMap(({ id, position }) => (position === state.next ? [id] : []));
  turn.effects.push({ do: 'store', to, step: state.next, stripes: [] });
}

/**
 * What Prepare says: a state, read again after computing, that is not what it was when it was written has been damaged
 * since, whatever the others say; and the sum holds slots that were computed from it.
 *
 * @returns true when all is equal and may be committed
 */
export function preparedAgree(turn: Turn, prepared: ReadonlyMap<WorkerRecord, PreparedGradient>): boolean {
  const { state } = turn;
  const damaged = [...prepared].filter(
    ([member, { stateDigest }]) => member.appliedDigest !== null && stateDigest !== member.appliedDigest,
  );
  for (const [member] of damaged)
    dismiss(turn, member, `its state of step ${state.next} has changed since it was written`);
  if (damaged.length === 0) {
    const keys = [...prepared.values()].map(keyOf);
    if (keys.every((key) => key === keys[0])) return true;
    settleSums(turn, prepared, mostOf(keys));
  }
  startAnew(turn);
  return false;
}

function settleSums(
  turn: Turn,
  prepared: ReadonlyMap<WorkerRecord, PreparedGradient>,
  right: string | null,
): void {
  const { state } = turn;
  if (right !== null) {
    for (const [member, gradient] of prepared)
      if (keyOf(gradient) !== right) dismiss(turn, member, `its digests at step ${state.next} differ`);
    return;
  }
  state.undecided += 1;
  if (state.undecided >= SUMS_MAX)
    return beginAllAnew(turn, `the digests at step ${state.next} differ again`);
  note(turn, 'damage-found', null, `digests at step ${state.next} differ: the sum is made again`);
}

function keyOf({ gradDigest, stateDigest }: PreparedGradient): string {
  return `${gradDigest}/${stateDigest}`;
}

/** The value that more have than any other, or null. */
export function mostOf(values: readonly string[]): string | null {
  const votes = new Map<string, number>();
  for (const value of values) votes.set(value, (votes.get(value) ?? 0) + 1);
  const [first, second] = [...votes].sort((a, b) => b[1] - a[1]);
  return first !== undefined && first[1] > (second?.[1] ?? 0) ? first[0] : null;
}

/** It comes back without a state and copies one. */
export function dismiss(turn: Turn, member: WorkerRecord, why: string): void {
  note(turn, 'damage-found', member.id, `${member.id}: ${why}`);
  loseWorker(turn, member, { why, evict: true });
}

/** Nobody's state is believed: all come back without one, and the newest checkpoint is loaded. */
export function beginAllAnew(turn: Turn, why: string): void {
  note(turn, 'damage-found', null, `${why}, and nothing tells whose is right: all begin anew`);
  for (const record of workersByAge(turn.state)) loseWorker(turn, record, { why, evict: true });
}
