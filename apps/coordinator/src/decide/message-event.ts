// What a worker's message means to the leader. How a sum's report is laid out its reader knows.
import type { FromWorker, Hello, Prepare, Reduced, Term } from '@cria/protocol';
import { workerId, type WorkerId } from '@cria/runtime';
import type { HelloFacts, LeaderEvent } from './leader-events.js';
import type { AttemptMark, PreparedGradient, SlotFacts } from './leader-state.js';

type WorkerMessage = NonNullable<FromWorker['message']>;

/** Reads what the report of a sum says of its slots. */
export type ReportReader = (report: Uint8Array) => (slot: number) => SlotFacts;

export function messageEvent(worker: WorkerId, message: WorkerMessage, read: ReportReader): LeaderEvent {
  switch (message.$case) {
    case 'hello':
      return { kind: 'hello', hello: helloFacts(message.value, read) };
    case 'slotDone':
      return { kind: 'slot-done', worker, ...message.value, digest: digestText(message.value.digests) };
    case 'released':
      return { kind: 'released', worker, ...message.value };
    case 'prepare': {
      const { attempt } = message.value;
      return { kind: 'prepared', worker, attempt, gradient: gradientOfPrepare(message.value, read) };
    }
    case 'blocked': {
      const { attempt, peer, slots, why } = message.value;
      return { kind: 'blocked', worker, attempt, peer: peer === '' ? null : workerId(peer), slots, why };
    }
    case 'applied':
      return { kind: 'applied', worker, ...message.value };
    case 'evaluated':
      return { kind: 'evaluated', worker, ...message.value };
    case 'leave':
      return { kind: 'leave', worker, why: message.value.reason };
    case 'stored':
      return { kind: 'contact', worker };
    case 'heartbeat':
      return { kind: 'contact', worker, position: message.value.position };
  }
}

/** A slot's linear digests, as the leader compares them. */
export function digestText(digests: Uint8Array): string {
  return Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength).toString('base64');
}

function helloFacts(hello: Hello, read: ReportReader): HelloFacts {
  const { address, device, host, pid, runId, genesis, fingerprint, seat } = hello;
  const { position, empty, stateDigest, mathHash, has, running, entriesFirst, entriesEnd } = hello;
  return {
    ...{ worker: workerId(hello.worker), address, device, host, pid, runId, genesis, fingerprint, seat },
    ...{ position, empty, stateDigest, mathHash, has, running, entriesFirst, entriesEnd },
    spares: hello.spares.map(({ slot, digests }) => ({ slot, digest: digestText(digests) })),
    reduced: hello.reduced === undefined ? null : gradientOfReduced(hello.reduced, read),
    newestVoid: hello.newestVoid === undefined ? null : markOf(hello.newestVoid),
    termNumber: hello.highestTerm?.number ?? 0,
    termLeader: hello.highestTerm?.leader ?? '',
  };
}

function gradientOfPrepare(prepare: Prepare, read: ReportReader): PreparedGradient {
  const { step, gradDigest, gradNormBits, stateDigest, report } = prepare;
  const facts = { step, gradDigest, gradNormBits, stateDigest, report };
  return { ...facts, mark: markOf(prepare), slotFacts: read(report) };
}

function gradientOfReduced(reduced: Reduced, read: ReportReader): PreparedGradient {
  const { step, digest, gradNormBits, stateDigest, report } = reduced;
  const facts = { step, gradDigest: digest, gradNormBits, stateDigest, report };
  return { ...facts, mark: markOf(reduced), slotFacts: read(report) };
}

function markOf({ term, attempt }: { term?: Term | undefined; attempt: number }): AttemptMark {
  return { termNumber: term?.number ?? 0, attempt };
}
