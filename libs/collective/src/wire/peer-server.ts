// Serves parts. Whoever needs bytes pulls them; this side only ever answers.
import { timingSafeEqual } from 'node:crypto';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { FetchRequest } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import type { Clock } from '@cria/runtime';
import { CriaError } from '@cria/runtime';
import type { Frame, FrameKind, OutgoingFrame } from './frame.js';
import { encodeFrame, FRAME_HEADER_BYTES, frameToSend } from './frame.js';
import type { PartStatus } from './part-header.js';
import { encodePartHeader } from './part-header.js';
import type { AvailablePart, FrameTap, PartSource } from './part-source.js';
import { CHANNEL_OPTIONS, CHUNK_BYTES, PEER_SERVICE, TOKEN_KEY } from './peer-service.js';

/** How long a request for something unknown is held before it is answered "not yet". */
const HOLD_MS = 200;
/** A waiting stream says that it is alive this often; a fraction of any caller's patience. */
const WAIT_FRAME_MS = 250;
/** Frames handed to the transport and not yet taken by it, per stream. */
const FRAMES_IN_FLIGHT = 2;
const GRACE_MS = 500;

export interface PeerServerOptions {
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly source: PartSource;
  /** Callers must present it; loopback clusters may go without. */
  readonly token?: string;
  readonly tap?: FrameTap;
}

type FetchCall = ServerWritableStream<FetchRequest, OutgoingFrame>;

interface OpenStream {
  readonly request: FetchRequest;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #streams = new Set<OpenStream>();
  #server: Server | null = null;
  #bytesSent = 0;

  constructor(options: PeerServerOptions) {
    this.#options = options;
  }

  /** Payload bytes handed to the transport so far. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  /**
   * Listens on `host:port` (port 0: any free one) and returns the address that peers use.
   *
   * @throws PORT_IN_USE
   */
  async start(listen: { host: string; port: number }): Promise<string> {
    const server = new Server(CHANNEL_OPTIONS);
    server.addService(PEER_SERVICE, { fetch: (call: FetchCall) => void this.#open(call) });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(
        `${listen.host}:${listen.port}`,
        ServerCredentials.createInsecure(),
        (error, bound) => {
          if (error === null) return resolve(bound);
          const sentence = `cannot listen on ${listen.host}:${listen.port} for peers; choose another port`;
          reject(new CriaError('PORT_IN_USE', sentence, { cause: error }));
        },
      );
    });
    this.#server = server;
    return `${listen.host}:${port}`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    await this.endStreams(() => true, 'this process is stopping');
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.timer(GRACE_MS, () => server.forceShutdown());
      server.tryShutdown(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Ends the streams that `which` picks; resolves when none of them will read another byte. */
  async endStreams(which: (request: FetchRequest) => boolean, why: string): Promise<void> {
    const ending = [...this.#streams].filter((stream) => which(stream.request));
    for (const stream of ending) stream.abort.abort(why);
    await Promise.all(ending.map((stream) => stream.ended));
  }

  async #open(call: FetchCall): Promise<void> {
    if (!this.#isAllowed(call)) {
      call.emit('error', { code: status.UNAUTHENTICATED, details: 'the token is missing or wrong' });
      return;
    }
    const abort = new AbortController();
    const done = deferred();
    const stream: OpenStream = { request: call.request, abort, ended: done.promise };
    this.#streams.add(stream);
    call.on('cancelled', () => abort.abort('the caller went away'));
    call.on('error', () => abort.abort('the stream broke'));
    try {
      await this.#serve(call, abort.signal);
      call.end();
    } catch (error) {
      const details = abort.signal.aborted ? String(abort.signal.reason) : CriaError.from(error).message;
      call.emit('error', { code: status.ABORTED, details });
    } finally {
      this.#streams.delete(stream);
      done.resolve();
    }
  }

  #isAllowed(call: FetchCall): boolean {
    const { token } = this.#options;
    if (token === undefined) return true;
    const given = Buffer.from(String(call.metadata.get(TOKEN_KEY)[0] ?? ''));
    const wanted = Buffer.from(`Bearer ${token}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  async #serve(call: FetchCall, signal: AbortSignal): Promise<void> {
    const { source, clock } = this.#options;
    const writer = new FrameWriter(call, signal, this.#options);
    const startMs = clock.monotonicMs();
    let lastFrameMs = startMs;
    for (;;) {
      const changed = source.changed();
      const answer = source.answer(call.request);
      if (answer.kind === 'part') {
        return this.#send(writer, call.request, answer).finally(() => answer.onDone?.());
      }
      if (answer.kind === 'refused' || answer.kind === 'stale') {
        return writer.status(call.request, answer.kind, answer.reason);
      }
      const nowMs = clock.monotonicMs();
      if (answer.kind === 'not-yet' && nowMs - startMs >= HOLD_MS) {
        return writer.status(call.request, 'not-yet', answer.reason);
      }
      if (nowMs - lastFrameMs >= WAIT_FRAME_MS) {
        await writer.write('wait', new Uint8Array(0), 0, false);
        lastFrameMs = nowMs;
      }
      const dueMs = answer.kind === 'wait' ? lastFrameMs + WAIT_FRAME_MS : startMs + HOLD_MS;
      await waitForChange(changed, { clock, patienceMs: Math.max(0, dueMs - nowMs), signal });
    }
  }

  async #send(writer: FrameWriter, request: FetchRequest, part: AvailablePart): Promise<void> {
    const { bytes, digest, position, slots } = part;
    const totalBytes = bytes.length;
    const header = { part: request.part, content: request.content, position, totalBytes, digest, slots };
    const start = Math.min(request.offset, totalBytes);
    const isEmpty = start >= totalBytes;
    await writer.write('header', encodePartHeader({ ...header, status: 'ok', reason: '' }), 0, isEmpty);
    for (let at = start; at < totalBytes; at += CHUNK_BYTES) {
      const end = Math.min(at + CHUNK_BYTES, totalBytes);
      await writer.write('data', bytes.subarray(at, end), at, end === totalBytes);
      this.#bytesSent += end - at + FRAME_HEADER_BYTES;
    }
    await writer.flushed();
    part.onSent?.();
  }
}

/** Writes frames with at most {@link FRAMES_IN_FLIGHT} of them not yet taken by the transport. */
class FrameWriter {
  readonly #call: FetchCall;
  readonly #signal: AbortSignal;
  readonly #options: PeerServerOptions;
  readonly #aborted: Promise<never>;
  #inFlight: Array<Promise<void>> = [];

  constructor(call: FetchCall, signal: AbortSignal, options: PeerServerOptions) {
    this.#call = call;
    this.#signal = signal;
    this.#options = options;
    this.#aborted = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    this.#aborted.catch(() => undefined);
  }

  async write(kind: FrameKind, payload: Uint8Array, offset: number, isLast: boolean): Promise<void> {
    if (this.#signal.aborted) throw this.#signal.reason;
    const frame = await this.#frame({ kind, isLast, offset, payload });
    if (this.#signal.aborted) throw this.#signal.reason;
    const taken = new Promise<void>((resolve) => this.#call.write(frame, () => resolve()));
    this.#inFlight.push(taken);
    while (this.#inFlight.length >= FRAMES_IN_FLIGHT) {
      await Promise.race([this.#inFlight.shift(), this.#aborted]);
    }
  }

  #frame(frame: Frame): OutgoingFrame | Promise<OutgoingFrame> {
    const { kernels, tap } = this.#options;
    return tap === undefined ? frameToSend(frame, kernels.crc32c) : this.#tapped(frame, tap);
  }

  async #tapped(frame: Frame, tap: FrameTap): Promise<OutgoingFrame> {
    const bytes = encodeFrame(frame, this.#options.kernels.crc32c);
    await Promise.race([tap(bytes, this.#call.request), this.#aborted]);
    return bytes;
  }

  /** Everything written so far was taken by the transport. */
  async flushed(): Promise<void> {
    await Promise.race([Promise.all(this.#inFlight), this.#aborted]);
  }

  async status(request: FetchRequest, partStatus: PartStatus, reason: string): Promise<void> {
    const { part, content } = request;
    const header = { part, content, position: 0, totalBytes: 0, digest: 0n, slots: [] };
    await this.write('header', encodePartHeader({ ...header, status: partStatus, reason }), 0, true);
  }
}

/** Waits until something changed, but no longer than `patienceMs`; rejects when the signal aborts. */
function waitForChange(
  changed: Promise<void>,
  { clock, patienceMs, signal }: { clock: Clock; patienceMs: number; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void => settle(() => reject(signal.reason));
    const timer = clock.timer(patienceMs, () => settle(resolve));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void changed.then(() => settle(resolve));
  });
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
