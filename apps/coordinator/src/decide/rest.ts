// When nothing is computed: paused, stopping, finished, or a member has to leave (PROTOCOL sections 6, 7).
import { orderStripes } from './checkpoint.js';
import { askForEvaluations, evaluationIsComplete, finishEvaluation } from './evaluate.js';
import { loseWorker } from './lose.js';
import { membersOf, stepHasBegun, workersByAge } from './leader-questions.js';
import type { Ending } from './leader-state.js';
import type { Turn } from './turn.js';

/** Whether the run rests at the step under way; orders what has to happen there. */
export function rest(turn: Turn): boolean {
  const { state } = turn;
  if (stepHasBegun(state) || state.committing) return false;
  sendAwayLeavers(turn);
  const ending = endingOf(turn);
  if (ending !== null) {
    end(turn, ending);
    return true;
  }
  if (state.desired.paused) {
    state.waitingFor = 'resume (the run is paused)';
    return true;
  }
  return false;
}

function endingOf(turn: Turn): Ending | null {
  const { state } = turn;
  if (state.ending !== null) return state.ending;
  // Below the head a resumed run first computes again what its ledger already has.
  if (state.next >= state.rules.endStep) return 'finished';
  return state.desired.stop && state.next >= state.head ? 'stopped' : null;
}

/** Ends the run once the state of the step under way is in a checkpoint. */
function end(turn: Turn, ending: Ending): void {
  const { state } = turn;
  if (ending === 'failed' || state.manifestStep === state.next) {
    if (ending === 'finished' && !validated(turn)) return;
    state.phase = 'ended';
    turn.effects.push({ do: 'finish', ending, reason: state.failure });
    return;
  }
  state.waitingFor = 'the last checkpoint';
  if (ending === 'finished') validated(turn);
  orderAtRest(turn);
}

function validated(turn: Turn): boolean {
  if (membersOf(turn.state).length === 0) return true;
  askForEvaluations(turn);
  if (!evaluationIsComplete(turn.state)) return false;
  if (turn.state.evaluation !== null) finishEvaluation(turn);
  return true;
}

function orderAtRest(turn: Turn): void {
  const { state } = turn;
  const members = membersOf(state);
  const settled = members.length > 0 && members.every((member) => member.position === state.next);
  if (settled) orderStripes(turn, state.next, 'rest');
}

/** Leaving members go between two steps; the last one only after its state is in a checkpoint. */
function sendAwayLeavers(turn: Turn): void {
  const { state } = turn;
  for (const record of workersByAge(state)) {
    if (record.leaving === null) continue;
    const isLast = record.role === 'member' && membersOf(state).length === 1;
    // state[0] is made from the seed: no checkpoint is wanted of it.
    if (isLast && state.next > 0 && state.manifestStep !== state.next) {
      orderAtRest(turn);
      continue;
    }
    if (state.checkpoint?.stripes.some((stripe) => stripe.worker === record.id) === true) continue;
    loseWorker(turn, record, { why: `left: ${record.leaving}`, evict: true });
  }
}
