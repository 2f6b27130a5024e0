// Pulls the members' stripes and publishes the manifest (apps/coordinator/src/checkpoint/checkpoint-keeper.ts).
import type { StripeOrder } from '@cria/coordinator/decide/leader-events';
import { UNSET, stateDigest } from '../model/mathematics.js';
import { pullPart } from '../worker/peer.js';
import { all, sleep, type Abort, type Task } from '../world/future.js';
import type { Leadership } from './leadership.js';

type Sources = ReadonlyArray<StripeOrder[number] & { readonly address: string }>;

const STALL_MS = 5000;
const APPLIED_POLL_MS = 20;
const APPLIED_WAIT_MS = 20_000;

interface CheckpointOrder {
  readonly step: number;
  readonly sources: Sources;
  readonly abort: Abort;
}

export function* writeCheckpoint(leadership: Leadership, order: CheckpointOrder): Task {
  const { step, sources, abort } = order;
  const { cluster, process, term } = leadership;
  const parts = new Array<number>(cluster.oracle.shape.numParts).fill(UNSET);
  yield* all(
    process,
    sources.map((source) => pullStripe(leadership, order, source, parts)),
  );
  const reported = yield* appliedDigest(leadership, order);
  const pulled = stateDigest(parts);
  if (pulled !== reported)
    throw new Error(`state ${step} arrived with digest ${pulled}, its members have ${reported}`);
  yield* sleep(process, cluster.world.between(1, 20), abort);
  const entries = cluster.durable.ledger.entries.slice(0, step);
  const manifest = { step, parts, stateDigest: pulled, entries, term };
  cluster.world.mark('publishing', process.id);
  cluster.invariants.published(manifest);
  cluster.durable.put(manifest);
  cluster.invariants.progressed();
  leadership.post({ kind: 'checkpoint-written', step });
}

function* pullStripe(
  leadership: Leadership,
  { step, abort }: CheckpointOrder,
  source: Sources[number],
  parts: number[],
): Task {
  const { cluster, process, term } = leadership;
  for (let part = source.firstPart; part < source.endPart; part++) {
    const request = {
      to: source.worker,
      from: process.id,
      term,
      step,
      attempt: 0,
      content: 'state',
      part,
    } as const;
    const options = { address: source.address, stallMs: STALL_MS, notYetMs: 4 * STALL_MS, abort };
    const pulled = yield* pullPart(cluster, process, request, options);
    if (pulled.position !== step)
      throw new Error(`${source.worker} is at ${pulled.position}, not at ${step}`);
    parts[part] = pulled.value;
  }
}

/** As all who deliver a part of it report. */
function* appliedDigest(leadership: Leadership, { step, sources, abort }: CheckpointOrder): Task<string> {
  const { process, cluster, state, appliedDigests } = leadership;
  const deadlineMs = cluster.world.nowMs + APPLIED_WAIT_MS;
  for (;;) {
    const digests = sources.map(({ worker }) => {
      const record = state.workers.get(worker);
      const known = record?.position === step ? record.appliedDigest : null;
      return appliedDigests.get(step)?.get(worker) ?? known;
    });
    const [first = null] = digests;
    if (first !== null && digests.every((digest) => digest !== null)) {
      if (digests.every((digest) => digest === first)) return first;
      throw new Error(`members report different states of step ${step}`);
    }
    if (cluster.world.nowMs > deadlineMs) throw new Error(`nobody reported the state of step ${step}`);
    yield* sleep(process, APPLIED_POLL_MS, abort);
  }
}
