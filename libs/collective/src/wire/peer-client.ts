// Pulls parts: checks every frame, resumes by offset when a stream breaks, asks again when told "not yet".
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { credentials, makeGenericClientConstructor, Metadata, status } from '@grpc/grpc-js';
import type { Client } from '@grpc/grpc-js';
import type { FetchRequest } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import type { Clock } from '@cria/runtime';
import { CriaError, sleep } from '@cria/runtime';
import { PartReceiver } from './part-receiver.js';
import type { PulledPart } from './part-receiver.js';
import { CHANNEL_OPTIONS, PEER_SERVICE, TOKEN_KEY } from './peer-service.js';

const RETRY_MS = 20;
const SLOWEST_RETRY_MS = 200;
/** Connections kept; the one unused for longest is closed for another. More than any exchange has members. */
const CONNECTIONS = 64;

export interface PeerClientOptions {
  readonly kernels: Kernels;
  readonly clock: Clock;
  /** Presented to every server. */
  readonly token?: string;
}

export interface PullOptions {
  readonly address: string;
  /** Without a frame for this long the peer counts as unreachable. */
  readonly stallMs: number;
  /** How long "not yet" counts as progress. Left out: for ever, as for sums, which a newer Exchange supersedes. */
  readonly notYetMs?: number;
  /** Larger parts are refused before memory is taken for them. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Gives memory for so many bytes (default: of their own, or those of the frame). */
  readonly room?: (sizeBytes: number) => Uint8Array;
}

/** How one stream ended. */
type StreamEnd =
  | { readonly kind: 'complete'; readonly part: PulledPart }
  | { readonly kind: 'not-yet' | 'broken'; readonly reason: string };

type FetchClient = Client & {
  fetch(request: FetchRequest, metadata: Metadata): ClientReadableStream<Buffer>;
};

const FetchClient = makeGenericClientConstructor(PEER_SERVICE, 'Peer') as unknown as new (
  ...args: ConstructorParameters<typeof Client>
) => FetchClient;

export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #clients = new Map<string, FetchClient>();
  readonly #metadata = new Metadata();
  #bytesReceived = 0;

  constructor(options: PeerClientOptions) {
    this.#options = options;
    if (options.token !== undefined) this.#metadata.set(TOKEN_KEY, `Bearer ${options.token}`);
  }

  /** Frame bytes received so far. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /**
   * Pulls one part to its end.
   *
   * @throws PEER_UNREACHABLE after `stallMs` without a frame
   * @throws PEER_DAMAGED when a frame, the header or a length is wrong; the context names the peer
   * @throws TERM_STALE when the request's term or attempt is over
   * @throws PROTOCOL_VIOLATION when the peer refuses: another run or process, no such part
   * @throws CONFIG_INVALID when the token is not the peer's
   * @throws the signal's reason when it aborts
   */
  async pullPart(request: FetchRequest, options: PullOptions): Promise<PulledPart> {
    const { clock, kernels } = this.#options;
    const receiver = new PartReceiver(request, options, kernels.crc32c);
    let retryMs = RETRY_MS;
    const startedMs = clock.monotonicMs();
    let lastProgressMs = startedMs;
    for (;;) {
      const before = receiver.offset;
      const end = await this.#stream({ ...request, offset: before }, options, receiver);
      if (end.kind === 'complete') return end.part;
      const isPatient =
        end.kind === 'not-yet' && clock.monotonicMs() - startedMs < (options.notYetMs ?? Infinity);
      if (isPatient || receiver.offset > before) lastProgressMs = clock.monotonicMs();
      const silentMs = clock.monotonicMs() - lastProgressMs;
      if (silentMs >= options.stallMs) throw unreachablePeer(request, options, end.reason, silentMs);
      await sleep(clock, retryMs, options.signal);
      retryMs = Math.min(2 * retryMs, SLOWEST_RETRY_MS);
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #client(address: string): FetchClient {
    const known = this.#clients.get(address);
    const client = known ?? new FetchClient(address, credentials.createInsecure(), CHANNEL_OPTIONS);
    this.#clients.delete(address);
    this.#clients.set(address, client); // last in the map's order: most recently used
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > CONNECTIONS && oldest !== undefined) {
      this.#clients.get(oldest)?.close();
      this.#clients.delete(oldest);
    }
    return client;
  }

  /** One stream: from the receiver's offset to the end, or until something is wrong. */
  #stream(request: FetchRequest, options: PullOptions, receiver: PartReceiver): Promise<StreamEnd> {
    const { clock } = this.#options;
    const { signal, stallMs } = options;
    if (signal.aborted) return Promise.reject(signal.reason);
    const call = this.#client(options.address).fetch(request, this.#metadata);
    return new Promise<StreamEnd>((resolve, reject) => {
      let lastFrameMs = clock.monotonicMs();
      const settle = (act: () => void, cancel = true): void => {
        watch.cancel();
        signal.removeEventListener('abort', onAbort);
        if (cancel) call.cancel();
        act();
      };
      const onAbort = (): void => settle(() => reject(signal.reason));
      const onWatch = (): void => {
        const silentMs = clock.monotonicMs() - lastFrameMs;
        if (silentMs >= stallMs) {
          return settle(() => reject(unreachablePeer(request, options, 'no frame arrived', silentMs)));
        }
        watch = clock.timer(stallMs - silentMs, onWatch);
      };
      let watch = clock.timer(stallMs, onWatch);
      signal.addEventListener('abort', onAbort, { once: true });
      call.on('data', (bytes: Buffer) => {
        lastFrameMs = clock.monotonicMs();
        this.#bytesReceived += bytes.length;
        try {
          const end = receiver.take(bytes);
          // A complete stream ends by itself: cancelled, the sender could not tell that all has arrived.
          if (end !== null) settle(() => resolve(end), end.kind !== 'complete');
        } catch (error) {
          settle(() => reject(CriaError.from(error, 'PEER_DAMAGED')));
        }
      });
      call.on('end', () => settle(() => resolve({ kind: 'broken', reason: 'the stream ended early' })));
      call.on('error', (error: ServiceError) => settle(() => endOf(error, options, resolve, reject)));
    });
  }
}

function endOf(
  error: ServiceError,
  { address }: PullOptions,
  resolve: (end: StreamEnd) => void,
  reject: (error: unknown) => void,
): void {
  if (error.code !== status.UNAUTHENTICATED) return resolve({ kind: 'broken', reason: error.details });
  reject(
    new CriaError('CONFIG_INVALID', `${address} refuses us: ${error.details}`, { context: { address } }),
  );
}

function unreachablePeer(
  request: FetchRequest,
  { address }: PullOptions,
  reason: string,
  silentMs: number,
): CriaError {
  const context = { peer: request.to, address, part: request.part, silentMs: Math.round(silentMs) };
  const sentence = `${request.to} at ${address} gave no byte of part ${request.part}: ${reason}`;
  return new CriaError('PEER_UNREACHABLE', sentence, { context });
}
