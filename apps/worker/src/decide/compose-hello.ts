import type { Hello } from '@cria/protocol';
import { runningSlots, type WorkerState } from './worker-state.js';

/** What does not change while a worker serves a run. */
export interface WorkerIdentity {
  readonly protocolVersion: number;
  readonly runId: string;
  readonly genesis: string;
  readonly fingerprint: string;
  readonly worker: string;
  /** Where peers fetch from it. */
  readonly address: string;
  readonly device: string;
  readonly host: string;
  readonly pid: number;
  /** Of Cria. */
  readonly version: string;
  readonly threads: number;
  /** The invitation that led here; empty once it is used up. */
  readonly seat: string;
}

/** Hello as the state stands. A state that is being made or copied counts as none. */
export function composeHello(identity: WorkerIdentity, state: WorkerState): Hello {
  const { reduced, newestVoid, term } = state;
  const isWhole = state.phase === 'ready';
  return {
    ...identity,
    position: isWhole ? state.position : 0,
    empty: !isWhole,
    mathHash: isWhole ? state.mathHash : identity.genesis,
    stateDigest: isWhole ? state.stateDigest : '',
    has: isWhole ? [...state.has] : [],
    running: isWhole ? runningSlots(state) : [],
    spares: isWhole
      ? [...state.spares].map(([slot, digests]) => ({ slot, digests: Buffer.from(digests) }))
      : [],
    reduced:
      reduced === null || !isWhole
        ? undefined
        : {
            ...reduced,
            digest: reduced.gradDigest,
            report: Buffer.from(reduced.report),
            term: { number: reduced.reducedIn.number, leader: reduced.reducedIn.leader },
            attempt: reduced.reducedIn.attempt,
          },
    newestVoid: newestVoid === null ? undefined : { term: newestVoid, attempt: newestVoid.attempt },
    entriesFirst: isWhole ? state.entriesFirst : 0,
    entriesEnd: isWhole ? state.position : 0,
    highestTerm: term.number === 0 ? undefined : { ...term },
  };
}
