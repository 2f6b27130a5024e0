// Seats: how many invitations wait, and who goes when there are too many workers (PROTOCOL section 6).
import { workersByAge } from './leader-state.js';
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
  const open =
    state.phase === 'ended' ? 0 : Math.max(0, state.desired.target - staying - state.invitations.size);
  if (open === state.seatsWaiting) return;
  state.seatsWaiting = open;
  turn.effects.push({ do: 'seats', waiting: open });
}

/** With more workers than seats the youngest leave at the end of the step. */
export function shrinkToTarget(turn: Turn): void {
  const { state } = turn;
  const staying = workersByAge(state).filter((worker) => worker.leaving === null);
  for (const record of staying.slice(state.desired.target)) {
    record.leaving = `${staying.length} workers for ${state.desired.target} seats`;
  }
}
