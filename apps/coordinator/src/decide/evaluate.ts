// Validation: forward passes at position = step, shared among the members; metrics only (PROTOCOL section 3, Evaluate).
import type { WorkerId } from '@cria/runtime';
import { workingMembers } from './leader-questions.js';
import type { LeaderState } from './leader-state.js';
import type { Turn } from './turn.js';

/** Begins the validation that is due at the step under way and asks whoever has nothing to do with it yet. */
export function askForEvaluations(turn: Turn): void {
  const { state } = turn;
  if (state.evaluation === null && isDue(state)) {
    const count = state.rules.validationSequences;
    state.evaluation = {
      step: state.next,
      asked: new Array<WorkerId | null>(count).fill(null),
      results: new Array<number | 'lost' | null>(count).fill(null),
      deaths: new Array<number>(count).fill(0),
    };
  }
  const { evaluation } = state;
  if (evaluation === null || evaluation.step !== state.next) return;
  const able = workingMembers(state);
  const open = evaluation.asked.flatMap((asked, i) =>
    asked === null && evaluation.results[i] === null ? [i] : [],
  );
  if (able.length === 0 || open.length === 0) return;
  able.forEach((member, rank) => {
    const indices = open.filter((_, i) => i % able.length === rank);
    if (indices.length === 0) return;
    for (const index of indices) evaluation.asked[index] = member.id;
    turn.effects.push({ do: 'evaluate', worker: member.id, step: state.next, indices });
  });
}

export function takeEvaluated(
  turn: Turn,
  step: number,
  sequences: ReadonlyArray<{ index: number; lossBits: number }>,
): void {
  const { evaluation } = turn.state;
  if (evaluation === null || evaluation.step !== step) return;
  for (const { index, lossBits } of sequences) {
    if (index < evaluation.results.length) evaluation.results[index] = lossBits;
  }
}

export function evaluationIsComplete(state: LeaderState): boolean {
  if (state.evaluation === null || state.evaluation.step !== state.next) return !isDue(state);
  return state.evaluation.results.every((result) => result !== null);
}

/** Hands the losses on, in sequence order, and forgets them. */
export function finishEvaluation(turn: Turn): void {
  const { evaluation } = turn.state;
  if (evaluation === null) return;
  const lossBits = evaluation.results.map((result) => (typeof result === 'number' ? result : null));
  turn.effects.push({ do: 'validated', step: evaluation.step, lossBits });
  turn.state.evaluatedStep = evaluation.step;
  turn.state.evaluation = null;
}

/** At multiples of everySteps and at the end; not while steps below the head are replayed. */
function isDue(state: LeaderState): boolean {
  const { validationEverySteps, validationSequences, endStep } = state.rules;
  if (validationEverySteps === 0 || validationSequences === 0 || state.next < state.head) return false;
  if (state.evaluatedStep === state.next) return false;
  return state.next > 0 && (state.next % validationEverySteps === 0 || state.next === endStep);
}
