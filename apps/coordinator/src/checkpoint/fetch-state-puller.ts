import {
  plainPeerClient,
  pullParts,
  stateDigestOfParts,
  statePartFacts,
  type PeerClient,
  type PulledPart,
} from '@cria/collective';
import { Content } from '@cria/protocol';
import { CriaError, systemClock } from '@cria/runtime';
import type { PullOrder, StatePiece, StatePuller, StripeSource } from './state-puller.js';

export interface FetchStatePullerOptions {
  readonly runId: string;
  /** Who asks. */
  readonly self: string;
}

/** Without a frame for this long a member's stripe is given up. */
const STALL_MS = 15_000;
/** A member may be applying the step that leads to this state for so long. */
const NOT_YET_MS = 60_000;
const IN_FLIGHT = 4;
const KINDS = ['params', 'expAvg', 'expAvgSq'] as const;

/** Pulls state[step] over Peer.Fetch, all sources at once. */
export class FetchStatePuller implements StatePuller {
  readonly #options: FetchStatePullerOptions;
  readonly #client: PeerClient = plainPeerClient({ clock: systemClock });

  constructor(options: FetchStatePullerOptions) {
    this.#options = options;
  }

  async pull(order: PullOrder, take: (piece: StatePiece) => Promise<void>): Promise<string> {
    const digests = new Map<number, bigint>();
    const facts = statePartFacts(order.length);
    const onPart = (source: StripeSource) => async (part: number, pulled: PulledPart) => {
      if (pulled.header.position !== order.step) {
        throw new CriaError(
          'TERM_STALE',
          `${source.worker} no longer has state ${order.step}: it is at ${pulled.header.position}`,
        );
      }
      digests.set(part, facts.digest(part, pulled.bytes));
      const { from, to } = facts.range(part);
      const values = floatsOf(pulled.bytes);
      for (const [i, kind] of KINDS.entries()) {
        await take({ kind, from, values: values.subarray(i * (to - from), (i + 1) * (to - from)) });
      }
    };
    await Promise.all(order.sources.map((source) => this.#pullSource(order, source, onPart(source))));
    return stateDigestOfParts(digests.values());
  }

  close(): void {
    this.#client.close();
  }

  #pullSource(
    { step, term, signal, length }: PullOrder,
    source: StripeSource,
    onPart: (part: number, pulled: PulledPart) => Promise<void>,
  ): Promise<void> {
    const { runId, self } = this.#options;
    const parts = Array.from({ length: source.endPart - source.firstPart }, (_, i) => source.firstPart + i);
    const request = {
      ...{ runId, step, to: source.worker, from: self, attempt: 0, content: Content.CONTENT_STATE },
      term: { number: term.number, leader: term.leader },
    };
    const { from, to } = statePartFacts(length).range(0);
    const maxBytes = 12 * (to - from);
    const { address } = source;
    return pullParts(this.#client, request, parts, {
      address,
      stallMs: STALL_MS,
      notYetMs: NOT_YET_MS,
      maxBytes,
      signal,
      inFlight: IN_FLIGHT,
      onPart,
    });
  }
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes;
  return byteOffset % 4 === 0
    ? new Float32Array(buffer, byteOffset, byteLength / 4)
    : new Float32Array(bytes.slice().buffer);
}
