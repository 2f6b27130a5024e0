import type { ExchangeStats } from '@cria/protocol';
import type { WorkerTurn } from './turn.js';

/** Says that the step's gradient is here and what it is. Whoever only listens has no say. */
export function sendPrepare({ state, effects }: WorkerTurn, attempt: number, stats?: ExchangeStats): void {
  const { reduced } = state;
  if (reduced === null || state.listensOnly) return;
  const value = {
    term: { ...state.term },
    attempt,
    step: reduced.step,
    gradDigest: reduced.gradDigest,
    gradNormBits: reduced.gradNormBits,
    stateDigest: reduced.stateDigest,
    report: Buffer.from(reduced.report),
    stats,
  };
  effects.push({ do: 'send', message: { $case: 'prepare', value } });
}
