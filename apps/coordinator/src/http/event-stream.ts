// One browser's SSE stream. A browser that reads slowly must cost nothing but itself: what it has not taken yet waits in
// a bounded queue, an older status gives way to a newer one, and past the bound the connection is dropped. It comes back
// with Last-Event-ID and gets what it missed, or is told that it has to read everything again.
import type { Clock, Timer } from '@cria/runtime';
import { parseCursor } from './live-hub.js';
import { missedMessages } from './missed-messages.js';
import type { LiveMessage, RunView } from './run-view.js';

const HEARTBEAT_MS = 15_000;
const RETRY_MS = 1_000;
const MAX_QUEUED_BYTES = 2 << 20;

export interface EventStreamOptions {
  readonly view: RunView;
  readonly clock: Clock;
  /** From Last-Event-ID; null for a first connection. */
  readonly cursor: string | null;
  /** Cuts the connection of a client that does not read. */
  readonly drop: () => void;
  /** Called once, however the stream ends. */
  readonly onEnd: () => void;
}

interface Chunk {
  readonly text: string;
  readonly replaces: 'status' | null;
}

export class EventStream {
  readonly #options: EventStreamOptions;
  #queue: Chunk[] = [];
  #queuedBytes = 0;
  #wake: (() => void) | null = null;
  #heartbeat: Timer | null = null;
  #unsubscribe: () => void = () => undefined;
  #ended = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  /** Subscribes and returns the response's body. */
  open(): ReadableStream<Uint8Array> {
    const source = {
      pull: (controller: ReadableStreamDefaultController<Uint8Array>) => this.#pull(controller),
      cancel: () => this.end(),
    };
    this.#subscribe();
    return new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
  }

  /** Ends the response; the browser will try to come back. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsubscribe();
    this.#heartbeat?.cancel();
    this.#wake?.();
    this.#options.onEnd();
  }

  #subscribe(): void {
    const { view } = this.#options;
    const { runId } = view.facts();
    const live = view.live();
    const missed = this.#missed();
    const cursor = missed === null ? (live?.feed().cursor() ?? null) : null;
    const hello = { stream: runId, resumed: missed !== null, step: view.metrics().endStep };
    this.#push(helloChunk(hello, cursor));
    if (missed === null && live !== null) {
      this.#push({ text: frame('status', live.status()), replaces: 'status' });
    }
    for (const message of missed ?? []) this.#push(chunkOf(message));
    const listener = (message: LiveMessage): void => this.#push(chunkOf(message));
    this.#unsubscribe = live?.feed().subscribe(listener) ?? this.#unsubscribe;
    this.#armHeartbeat();
  }

  /** What came since the client's cursor; null when it has to read everything itself. */
  #missed(): LiveMessage[] | null {
    const { view, cursor } = this.#options;
    const since = cursor === null ? null : parseCursor(cursor);
    return since === null ? null : missedMessages(since, view.metrics(), view.events());
  }

  #push(chunk: Chunk): void {
    if (this.#ended) return;
    if (chunk.replaces !== null) this.#drop((queued) => queued.replaces === chunk.replaces);
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.text.length;
    if (this.#queue.length > 1 && this.#queuedBytes > MAX_QUEUED_BYTES) {
      this.end();
      this.#options.drop();
    }
    this.#wake?.();
  }

  #drop(unwanted: (chunk: Chunk) => boolean): void {
    this.#queue = this.#queue.filter((chunk) => !unwanted(chunk));
    this.#queuedBytes = this.#queue.reduce((sum, { text }) => sum + text.length, 0);
  }

  /** Called when the socket can take more: hands over all that waits, as one write. */
  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#queue.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    if (this.#queue.length > 0) controller.enqueue(Buffer.from(this.#queue.map(({ text }) => text).join('')));
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#ended) controller.close();
  }

  #armHeartbeat(): void {
    this.#heartbeat = this.#options.clock.timer(HEARTBEAT_MS, () => {
      if (this.#queue.length === 0) this.#push({ text: ': still here\n\n', replaces: null });
      this.#armHeartbeat();
    });
  }
}

/** Unless it resumes, the client's position becomes the newest message, as if it had read everything before. */
function helloChunk(data: { stream: string; resumed: boolean; step: number }, cursor: string | null): Chunk {
  const id = cursor === null ? '' : `id: ${cursor}\n`;
  return { text: `retry: ${RETRY_MS}\n${id}${frame('hello', data)}`, replaces: null };
}

function frame(type: string, data: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Every browser gets the same bytes, so they are made once per message. */
const encoded = new WeakMap<LiveMessage, Chunk>();

function chunkOf(message: LiveMessage): Chunk {
  const known = encoded.get(message);
  if (known !== undefined) return known;
  const text = `id: ${message.cursor}\n${frame(message.type, message.data)}`;
  const chunk: Chunk = { text, replaces: message.type === 'status' ? 'status' : null };
  encoded.set(message, chunk);
  return chunk;
}
