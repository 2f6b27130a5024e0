// The SSE stream with what EventSource leaves out: it gives up for good on an error status, so a new one is opened
// where the old one ended; and someone has to say how long the line has been silent.
import { after, nowMs } from '../browser-clock';
import { runPath } from './client';
import type { Alert, Hello, RunEvent, RunStatus, Sample, StepRow } from './types';

const REOPEN_MS = 2_000;

export interface LiveHandlers {
  readonly onHello: (hello: Hello) => void;
  readonly onStep: (row: StepRow) => void;
  readonly onEvent: (event: RunEvent) => void;
  readonly onStatus: (status: RunStatus) => void;
  readonly onAlert: (alert: Alert) => void;
  readonly onSample: (sample: Sample) => void;
  /** null when the line works; otherwise since when it does not. */
  readonly onLine: (lostSinceMs: number | null) => void;
}

export class LiveConnection {
  readonly #run: string;
  readonly #handlers: LiveHandlers;
  #source: EventSource | null = null;
  #lastId = '';
  #lostSinceMs: number | null = null;
  #cancelReopen: () => void = () => undefined;

  constructor(run: string, handlers: LiveHandlers) {
    this.#run = run;
    this.#handlers = handlers;
  }

  open(): void {
    const resume = this.#lastId === '' ? '' : `?lastEventId=${encodeURIComponent(this.#lastId)}`;
    const source = new EventSource(`${runPath(this.#run)}/events${resume}`);
    this.#source = source;
    const on = <T>(type: string, handle: (data: T) => void): void =>
      source.addEventListener(type, (message: MessageEvent<string>) => {
        if (message.lastEventId !== '') this.#lastId = message.lastEventId;
        handle(JSON.parse(message.data) as T);
      });
    on<Hello>('hello', (hello) => {
      this.#setLost(null);
      this.#handlers.onHello(hello);
    });
    on('step', this.#handlers.onStep);
    on('event', this.#handlers.onEvent);
    on('status', this.#handlers.onStatus);
    on('alert', this.#handlers.onAlert);
    on('sample', this.#handlers.onSample);
    source.addEventListener('error', () => this.#onError());
  }

  close(): void {
    this.#cancelReopen();
    this.#source?.close();
    this.#source = null;
  }

  #onError(): void {
    this.#setLost(this.#lostSinceMs ?? nowMs());
    if (this.#source?.readyState !== EventSource.CLOSED) return;
    this.close();
    this.#cancelReopen = after(REOPEN_MS, () => this.open());
  }

  #setLost(lostSinceMs: number | null): void {
    this.#lostSinceMs = lostSinceMs;
    this.#handlers.onLine(lostSinceMs);
  }
}
