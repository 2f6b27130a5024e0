import { ReportPart } from '@cria/collective';
import type { Hello, Prepare, Reduced, Term } from '@cria/protocol';
import { workerId } from '@cria/runtime';
import type { HelloFacts } from '../decide/leader-events.js';
import type { AttemptMark, PreparedGradient, SlotFacts } from '../decide/leader-state.js';

export interface ReportShape {
  readonly slots: number;
  readonly numParts: number;
}

/** A Hello as the leader's decisions see it. */
export function helloFacts(hello: Hello, shape: ReportShape): HelloFacts {
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
    spares: hello.spares.map(({ slot, digests }) => ({ slot, digest: digestText(digests) })),
    reduced: hello.reduced === undefined ? null : gradientOfReduced(hello.reduced, shape),
    newestVoid: hello.newestVoid === undefined ? null : markOf(hello.newestVoid),
    termNumber: hello.highestTerm?.number ?? 0,
    termLeader: hello.highestTerm?.leader ?? '',
    seat: hello.seat,
  };
}

export function gradientOfPrepare(prepare: Prepare, shape: ReportShape): PreparedGradient {
  const { step, gradDigest, gradNormBits, stateDigest, report } = prepare;
  return {
    step,
    mark: markOf(prepare),
    gradDigest,
    gradNormBits,
    stateDigest,
    report,
    slotFacts: factsOf(report, shape),
  };
}

function gradientOfReduced(reduced: Reduced, shape: ReportShape): PreparedGradient {
  const { step, digest, gradNormBits, stateDigest, report } = reduced;
  return {
    step,
    mark: markOf(reduced),
    gradDigest: digest,
    gradNormBits,
    stateDigest,
    report,
    slotFacts: factsOf(report, shape),
  };
}

function markOf({ term, attempt }: { term?: Term | undefined; attempt: number }): AttemptMark {
  return { termNumber: term?.number ?? 0, attempt };
}

/** A slot's linear digests, as the leader compares them. */
export function digestText(digests: Uint8Array): string {
  return Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength).toString('base64');
}

/** The report is read when somebody asks: a large run's has thousands of digests. */
function factsOf(bytes: Uint8Array, { slots, numParts }: ReportShape): (slot: number) => SlotFacts {
  let report: ReportPart | null = null;
  return (slot) => {
    report ??= ReportPart.decode(bytes, slots, numParts);
    const { flagged, digests } = report.slot(slot);
    return {
      flagged,
      get digest() {
        return digestText(new Uint8Array(digests.buffer, digests.byteOffset, digests.byteLength));
      },
    };
  };
}
