// A member that serves a sum of its choice: every digest fits, what it claims to hold and its report are as given.
import { createAccumulator, partRange, referenceKernels } from '@cria/kernels';
import type { Accumulator } from '@cria/kernels';
import { Content } from '@cria/protocol';
import type { FetchRequest, MemberSet } from '@cria/protocol';
import { systemClock } from '@cria/runtime';
import { ownedParts } from '../plan/exchange-plan.js';
import { ReportPart } from '../report/report-part.js';
import { Change } from '../wire/change.js';
import type { PartAnswer } from '../wire/part-source.js';
import { PeerClient } from '../wire/peer-client.js';
import { PeerServer } from '../wire/peer-server.js';
import { LENGTH, PARTS, SLOTS, STEP } from './test-cluster.js';
import { computeSlot, RUN_ID } from './test-member.js';

const INDEX = 1;

export class Liar {
  readonly #claims: readonly number[];
  readonly #sum: Accumulator = createAccumulator(LENGTH, false);
  readonly #report = new ReportPart(SLOTS, PARTS);
  readonly #reduced = new Map<number, { bytes: Uint8Array; digest: bigint }>();
  readonly #change = new Change();
  readonly #server: PeerServer;
  readonly #client = new PeerClient({ kernels: referenceKernels, clock: systemClock });

  /** @param contains what is in its sum; @param claims what it says it serves; its report tells the truth */
  constructor(contains: readonly number[], claims: readonly number[]) {
    this.#claims = claims;
    for (const slot of contains) this.#report.addSlot(computeSlot(this.#sum, STEP, slot));
    const source = {
      answer: (request: FetchRequest) => this.#answer(request),
      changed: () => this.#change.next(),
    };
    this.#server = new PeerServer({ kernels: referenceKernels, clock: systemClock, source });
  }

  /** Its set, as the leader sees it: member 1 with slots 3, 4 and 5. */
  async start(): Promise<MemberSet> {
    return {
      worker: 'w1',
      address: await this.#server.start({ host: '127.0.0.1', port: 0 }),
      slots: [3, 4, 5],
    };
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#client.close();
  }

  /** Reduces the parts that it owns, honestly but for its own share. */
  async reduce(other: MemberSet): Promise<void> {
    for (const part of ownedParts(INDEX, 2, PARTS + 1)) {
      const { header, bytes } = await this.#pull(other, part);
      if (part === PARTS) {
        this.#report.add(ReportPart.decode(bytes, SLOTS, PARTS));
        const encoded = this.#report.encode();
        const digest = referenceKernels.digestWords(new Uint32Array(encoded.buffer), 0);
        this.#reduced.set(part, { bytes: encoded, digest });
        continue;
      }
      const { from, to } = partRange(part, LENGTH);
      const own = referenceKernels.accumulatorDigest(this.#sum, from, to);
      referenceKernels.unpackAdd(this.#sum, from, to, bytes);
      const packed = referenceKernels.packPart(this.#sum, from, to);
      this.#reduced.set(part, { bytes: packed, digest: BigInt.asUintN(64, own + header.digest) });
    }
    this.#change.notify();
  }

  #pull(other: MemberSet, part: number): ReturnType<PeerClient['pullPart']> {
    const term = { number: 1, leader: 'c1' };
    return this.#client.pullPart(
      {
        ...{ runId: RUN_ID, to: other.worker, from: 'w1', term, step: STEP, attempt: 1 },
        ...{ content: Content.CONTENT_ACC, part, offset: 0 },
      },
      { address: other.address, stallMs: 2000, maxBytes: 1 << 24, signal: new AbortController().signal },
    );
  }

  #answer({ content, part }: FetchRequest): PartAnswer {
    if (content === Content.CONTENT_REDUCED) {
      const reduced = this.#reduced.get(part);
      return reduced === undefined
        ? { kind: 'wait' }
        : { kind: 'part', ...reduced, position: STEP, slots: [] };
    }
    const { from, to } = partRange(part, LENGTH);
    const bytes = part < PARTS ? referenceKernels.packPart(this.#sum, from, to) : this.#report.encode();
    const digest =
      part < PARTS
        ? referenceKernels.packedDigest(bytes, from, to)
        : referenceKernels.digestWords(new Uint32Array(bytes.buffer), 0);
    return { kind: 'part', bytes, digest, position: STEP, slots: this.#claims };
  }
}
