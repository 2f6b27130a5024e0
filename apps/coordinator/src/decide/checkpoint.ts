// Who delivers which part of the state for a checkpoint (PROTOCOL section 7).
import type { StripeOrder } from './leader-events.js';
import { membersOf } from './leader-questions.js';
import type { LeaderState, WorkerRecord } from './leader-state.js';
import { note, type Turn } from './turn.js';

/** How often a checkpoint at rest is ordered again before the run gives up. */
const FAILURES_MAX = 3;

/** So many times as long as a checkpoint took no unplanned one follows it. */
const UNPLANNED_REST = 10;

/**
 * Orders the checkpoint of state[step] if one is due.
 *
 * @param how `commit`: with the Commit that leads to this state; `rest`: by Store, nothing is computed
 */
export function orderStripes(turn: Turn, step: number, how: 'commit' | 'rest'): StripeOrder {
  const { state } = turn;
  if (state.checkpoint !== null) return [];
  if (how === 'commit' && !isDue(state, step) && !isLastCopy(turn, step)) return [];
  if (how === 'rest' && turn.nowMs < state.checkpointNotBeforeMs) return [];
  const stripes = divide(membersOf(state), state.rules.numParts);
  if (stripes.length === 0) return [];
  state.checkpoint = { step, stripes, atRest: how === 'rest', orderedMs: turn.nowMs };
  note(turn, 'checkpoint-started', null, `checkpoint of step ${step} from ${stripes.length} workers`);
  turn.effects.push({ do: 'pull-checkpoint', step, stripes });
  const to = stripes.map(({ worker }) => worker);
  if (how === 'rest') turn.effects.push({ do: 'store', to, step, stripes });
  return stripes;
}

export function checkpointWritten(turn: Turn, step: number): void {
  const { state, nowMs } = turn;
  if (state.checkpoint?.step === step) {
    state.unplannedFromMs = nowMs + UNPLANNED_REST * (nowMs - state.checkpoint.orderedMs);
    state.checkpoint = null;
  }
  state.checkpointFailures = 0;
  state.checkpointNotBeforeMs = 0;
  state.manifestStep = Math.max(state.manifestStep ?? 0, step);
}

export function checkpointFailed(turn: Turn, step: number, why: string): void {
  const { state, nowMs } = turn;
  if (state.checkpoint?.step !== step) return;
  state.checkpoint = null;
  state.checkpointFailures += 1;
  note(turn, 'checkpoint-failed', null, `checkpoint of step ${step} was given up: ${why}`);
  // Somebody may just have gone. Where that was not all, whose state is damaged says so until then (a Store asks), or is lost.
  if (state.checkpointFailures > 1) state.checkpointNotBeforeMs = nowMs + state.rules.suspectMs;
  if (state.checkpointFailures < FAILURES_MAX) return;
  state.phase = 'ended';
  turn.effects.push({ do: 'finish', ending: 'failed', reason: `no checkpoint can be written: ${why}` });
}

function isDue(state: LeaderState, step: number): boolean {
  const { checkpointEverySteps, endStep } = state.rules;
  return step % checkpointEverySteps === 0 && step < endStep && step > (state.manifestStep ?? 0);
}

/**
 * Whoever is left alone has the only copy of the state, so that it is written down, also when no checkpoint is due: at
 * most a tenth of the time goes into that, however often the others come and go.
 */
function isLastCopy({ state, nowMs }: Turn, step: number): boolean {
  if (step >= state.rules.endStep || step <= (state.manifestStep ?? 0)) return false;
  return state.lastMembers.length > 1 && membersOf(state).length === 1 && nowMs >= state.unplannedFromMs;
}

/** Contiguous, nearly equal shares of the parts. */
function divide(members: readonly WorkerRecord[], numParts: number): StripeOrder {
  const able = members.slice(0, numParts);
  return able.map((member, i) => ({
    worker: member.id,
    firstPart: Math.floor((i * numParts) / able.length),
    endPart: Math.floor(((i + 1) * numParts) / able.length),
  }));
}
