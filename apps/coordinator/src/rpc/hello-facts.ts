import type { Hello, Prepare, Reduced, Term } from '@cria/protocol';
import { workerId } from '@cria/runtime';
import type { HelloFacts } from '../decide/leader-events.js';
import type { AttemptMark, PreparedGradient } from '../decide/leader-state.js';

/** A Hello as the leader's decisions see it. */
export function helloFacts(hello: Hello): HelloFacts {
  return {
    worker: workerId(hello.worker),
    address: hello.address,
    device: hello.device,
    host: hello.host,
    pid: hello.pid,
    runId: hello.runId,
    genesis: hello.genesis,
    fingerprint: hello.fingerprint,
    position: hello.position,
    empty: hello.empty,
    stateDigest: hello.stateDigest,
    mathHash: hello.mathHash,
    has: hello.has,
    running: hello.running,
    reduced: hello.reduced === undefined ? null : gradientOfReduced(hello.reduced),
    newestVoid: hello.newestVoid === undefined ? null : markOf(hello.newestVoid),
    termNumber: hello.highestTerm?.number ?? 0,
    termLeader: hello.highestTerm?.leader ?? '',
    seat: hello.seat,
  };
}

export function gradientOfPrepare(prepare: Prepare): PreparedGradient {
  const { step, gradDigest, gradNormBits, stateDigest, report } = prepare;
  return { step, mark: markOf(prepare), gradDigest, gradNormBits, stateDigest, report };
}

function gradientOfReduced(reduced: Reduced): PreparedGradient {
  const { step, digest, gradNormBits, stateDigest, report } = reduced;
  return { step, mark: markOf(reduced), gradDigest: digest, gradNormBits, stateDigest, report };
}

function markOf({ term, attempt }: { term?: Term | undefined; attempt: number }): AttemptMark {
  return { termNumber: term?.number ?? 0, attempt };
}
