// Seats: how many invitations wait, and who goes when there are too many workers (PROTOCOL section 6).
import { workersByAge } from './leader-questions.js';
import type { WorkerRecord } from './leader-state.js';
import type { Turn } from './turn.js';

/** Keeps open seats = target - workers - invitations whose Hello has not come. */
export function offerSeats(turn: Turn): void {
  const { state, nowMs } = turn;
  // While a new leader gathers, workers that are on their way back must not be replaced.
  if (state.phase === 'gather') return;
  for (const [seat, takenMs] of state.invitations) {
    if (nowMs - takenMs >= state.rules.seatMs) state.invitations.delete(seat);
  }
  const staying = workersByAge(state).filter((worker) => worker.leaving === null).length;
  const wanted = Math.max(0, state.desired.target - staying - state.invitations.size);
  const isBackingOff = nowMs < state.flapUntilMs && staying > 0;
  const open =
    state.phase === 'ended' ? 0 : isBackingOff ? Math.min(wanted, Math.max(0, state.seatsWaiting)) : wanted;
  if (open === state.seatsWaiting) return;
  state.seatsWaiting = open;
  turn.effects.push({ do: 'seats', waiting: open });
}

/** Invitations are seen to be taken: workers are on their way, unless their Hello was quicker than the news. */
export function takeInvitations({ state, nowMs }: Turn, seats: readonly string[]): void {
  for (const seat of seats) {
    if (state.knownSeats.has(seat)) continue;
    state.knownSeats.add(seat);
    state.invitations.set(seat, nowMs);
  }
}

/** So soon after it came a lost worker counts as one that flaps; so many of them, and seats are offered more slowly. */
const FLAP_SUSPECTS = 3;
const FLAPS_FREE = 3;
const BACK_OFF_MAX_MS = 60_000;

/** A machine whose workers die as soon as they come must not keep the others busy with joins. */
export function countFlap({ state, nowMs }: Turn, record: WorkerRecord): void {
  if (nowMs - record.joinedMs > FLAP_SUSPECTS * state.rules.suspectMs) return;
  state.flaps += 1;
  if (state.flaps <= FLAPS_FREE) return;
  const backOffMs = Math.min(BACK_OFF_MAX_MS, state.rules.suspectMs * 2 ** (state.flaps - FLAPS_FREE - 1));
  state.flapUntilMs = Math.max(state.flapUntilMs, nowMs + backOffMs);
}

/** With more workers than seats the youngest leave at the end of the step. */
export function shrinkToTarget(turn: Turn): void {
  const { state } = turn;
  const staying = workersByAge(state).filter((worker) => worker.leaving === null);
  for (const record of staying.slice(state.desired.target)) {
    record.leaving = `${staying.length} workers for ${state.desired.target} seats`;
  }
}
