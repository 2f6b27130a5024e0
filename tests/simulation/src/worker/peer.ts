// Peer.Fetch: whoever needs bytes pulls them, part by part. Mirrors libs/collective/src/wire: a server that waits with
// its caller, a client that asks again when a stream breaks and gives up after stallMs without a sign.
import type { Cluster, Listener } from '../cluster.js';
import type { SimTerm } from '../stores/redis-data.js';
import { Abort, Aborted, Change, Future, sleep, wait, waitAtMost, type Task } from '../world/future.js';
import { Lane } from '../world/network.js';
import type { SimProcess } from '../world/process.js';

export type Content = 'acc' | 'reduced' | 'state' | 'ledger';

export interface PeerRequest {
  /** Worker or coordinator that is meant. */
  readonly to: string;
  readonly from: string;
  readonly term: SimTerm;
  readonly step: number;
  readonly attempt: number;
  readonly content: Content;
  readonly part: number;
}

/** A part as it travels. `counts` is for the invariants, and for the report part what it says. */
export interface PeerPart {
  readonly kind: 'part';
  readonly value: number;
  readonly counts: readonly number[];
  readonly losses: readonly number[];
  /** Of slots, in the report part. */
  readonly digests: readonly number[];
  /** What the sender says the linear digest is. */
  readonly digest: number;
  readonly position: number;
  readonly slots: readonly number[];
  /** Of the ledger. */
  readonly lines?: readonly string[];
  readonly onSent?: () => void;
}

export type PeerAnswer =
  | PeerPart
  | { readonly kind: 'wait' }
  | { readonly kind: 'not-yet' | 'refused' | 'stale'; readonly reason: string };

export type PullFailure = 'unreachable' | 'stale' | 'refused';

export class PullError extends Error {
  readonly failure: PullFailure;
  constructor(failure: PullFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

const HOLD_MS = 200;
const WAIT_FRAME_MS = 250;
const RETRY_MS = 20;
const SLOWEST_RETRY_MS = 200;

interface OpenServe {
  readonly request: PeerRequest;
  readonly abort: Abort;
  readonly ended: Future<void>;
}

type Frame =
  | { readonly kind: 'wait' }
  | { readonly kind: 'last'; readonly answer: PeerAnswer }
  | { readonly kind: 'broken'; readonly why: string };

/** The serving side: answers come from `answer`, and from the change onwards anew. */
export class PeerSource {
  readonly change = new Change();
  readonly #process: SimProcess;
  readonly #answer: (request: PeerRequest) => PeerAnswer;
  readonly #streams = new Set<OpenServe>();

  constructor(process: SimProcess, answer: (request: PeerRequest) => PeerAnswer) {
    this.#process = process;
    this.#answer = answer;
  }

  /** Ends the streams that `which` picks; through when none of them reads any more. */
  *endStreams(which: (request: PeerRequest) => boolean, why: string): Task {
    const ending = [...this.#streams].filter((stream) => which(stream.request));
    for (const stream of ending) stream.abort.abort(why);
    for (const stream of ending) yield* wait(this.#process, stream.ended);
  }

  *serve(request: PeerRequest, send: (frame: Frame) => void, abort: Abort): Task {
    const stream: OpenServe = { request, abort, ended: new Future() };
    this.#streams.add(stream);
    try {
      yield* this.#serve(request, send, abort);
    } catch (error) {
      if (!(error instanceof Aborted)) throw error;
      send({ kind: 'broken', why: error.message });
    } finally {
      this.#streams.delete(stream);
      stream.ended.resolve();
    }
  }

  *#serve(request: PeerRequest, send: (frame: Frame) => void, abort: Abort): Task {
    const { world } = this.#process;
    const startMs = world.nowMs;
    let lastFrameMs = startMs;
    for (;;) {
      const changed = this.change.next();
      const answer = this.#answer(request);
      const isHeld = answer.kind === 'not-yet' && world.nowMs - startMs < HOLD_MS;
      if (answer.kind === 'part') {
        yield* sleep(this.#process, world.between(0.3, 4), abort);
        send({ kind: 'last', answer });
        return answer.onSent?.();
      }
      if (answer.kind !== 'wait' && !isHeld) return send({ kind: 'last', answer });
      if (world.nowMs - lastFrameMs >= WAIT_FRAME_MS) {
        send({ kind: 'wait' });
        lastFrameMs = world.nowMs;
      }
      const dueMs = answer.kind === 'wait' ? lastFrameMs + WAIT_FRAME_MS : startMs + HOLD_MS;
      yield* waitAtMost(this.#process, changed, dueMs - world.nowMs, abort);
    }
  }
}

export interface PullOptions {
  readonly address: string;
  readonly stallMs: number;
  /** How long "not yet" counts as progress. Left out: for ever, as for sums, which a newer Exchange supersedes. */
  readonly notYetMs?: number;
  readonly abort: Abort;
}

/** Pulls one part to its end. Throws PullError, or Aborted. */
export function* pullPart(
  cluster: Cluster,
  client: SimProcess,
  request: PeerRequest,
  options: PullOptions,
): Task<PeerPart> {
  const { world } = cluster;
  let retryMs = RETRY_MS;
  const startedMs = world.nowMs;
  let lastProgressMs = startedMs;
  for (;;) {
    const frame = yield* oneStream(cluster, client, request, options);
    const answer = frame.kind === 'last' ? frame.answer : null;
    if (answer?.kind === 'part') return answer;
    if (answer?.kind === 'stale' || answer?.kind === 'refused')
      throw new PullError(answer.kind, answer.reason);
    const isPatient = world.nowMs - startedMs < (options.notYetMs ?? Infinity);
    if (answer !== null && isPatient) lastProgressMs = world.nowMs;
    const why = frame.kind === 'broken' ? frame.why : 'not yet';
    if (world.nowMs - lastProgressMs >= options.stallMs) throw new PullError('unreachable', why);
    yield* sleep(client, retryMs, options.abort);
    retryMs = Math.min(2 * retryMs, SLOWEST_RETRY_MS);
  }
}

function* oneStream(
  cluster: Cluster,
  client: SimProcess,
  request: PeerRequest,
  { address, stallMs, abort }: PullOptions,
): Task<Frame> {
  abort.throwIfAborted();
  const { world } = cluster;
  const server = cluster.peers.get(address);
  const end = new Future<Frame>();
  if (server === undefined || !server.process.alive) {
    yield* sleep(client, world.network.delayMs(client.host, client.host), abort);
    return { kind: 'broken', why: 'nobody listens there' };
  }
  const frames = framesOf(cluster, client, server, end);
  const serving = new Abort();
  const offDeath = server.process.onDeath(() =>
    frames.lane.send({ kind: 'broken', why: 'connection reset' }),
  );
  world.network.carry(client.host, server.process, () =>
    server.process.run(server.serves.serve(request, (frame) => frames.lane.send(frame), serving)),
  );
  const cancel = (): void =>
    world.network.carry(client.host, server.process, () => serving.abort('the caller went away'));
  const offClient = client.onDeath(cancel);
  try {
    for (;;) {
      const silentMs = world.nowMs - frames.lastMs();
      if (silentMs >= stallMs) throw new PullError('unreachable', 'no frame arrived');
      const arrived = yield* waitAtMost(client, end, stallMs - silentMs, abort);
      if (arrived) return yield* wait(client, end);
    }
  } finally {
    offDeath();
    offClient();
    if (!end.settled) cancel();
  }
}

function framesOf(
  cluster: Cluster,
  client: SimProcess,
  server: Listener<PeerSource>,
  end: Future<Frame>,
): { lane: Lane<Frame>; lastMs: () => number } {
  const { world } = cluster;
  let lastMs = world.nowMs;
  const lane = new Lane<Frame>(world, { from: server.process.host, to: client }, (frame) => {
    lastMs = world.nowMs;
    if (frame.kind !== 'wait') end.resolve(frame);
  });
  return { lane, lastMs: () => lastMs };
}
