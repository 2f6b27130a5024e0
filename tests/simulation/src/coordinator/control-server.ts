// The coordinator's control service: a stream per worker while it leads (apps/coordinator/src/rpc).
import type { LeaderMessage, WorkerMessage } from '@cria/worker/decide/worker-events';
import type { SimProcess } from '../world/process.js';
import type { StreamEnd } from '../world/stream.js';

export type ControlStream = StreamEnd<WorkerMessage, LeaderMessage>;

/** Whoever leads takes the workers' messages. */
export interface ControlSink {
  message(worker: string, message: WorkerMessage): void;
  disconnected(worker: string, why: string): void;
}

export class ControlServer {
  readonly #process: SimProcess;
  readonly #links = new Map<string, ControlStream>();
  readonly #leaderAddress: () => string;
  #sink: ControlSink | null = null;

  constructor(process: SimProcess, leaderAddress: () => string) {
    this.#process = process;
    this.#leaderAddress = leaderAddress;
  }

  leaderAddress(): string {
    return this.#leaderAddress();
  }

  setSink(sink: ControlSink | null): void {
    this.#sink = sink;
    if (sink !== null) return;
    for (const link of this.#links.values()) link.close('this coordinator no longer leads');
    this.#links.clear();
  }

  link(worker: string): ControlStream | null {
    return this.#links.get(worker) ?? null;
  }

  /** A worker opened a stream. The sink is looked at when the first message arrives. */
  connect(stream: ControlStream): void {
    let sink: ControlSink | null | undefined;
    let worker: string | null = null;
    stream.onMessage = (message) => {
      if (sink === undefined) {
        sink = this.#sink;
        if (sink === null) return stream.break('this coordinator does not lead');
      }
      if (sink === null || this.#sink !== sink) return;
      if (message.$case === 'hello') worker = this.#register(stream, message.value.worker);
      if (worker !== null && this.#links.get(worker) === stream) sink.message(worker, message);
    };
    stream.onEnd = (why) => {
      stream.close('the worker ended the stream');
      if (worker === null || this.#links.get(worker) !== stream) return;
      this.#links.delete(worker);
      if (sink !== null && sink !== undefined && this.#sink === sink) sink.disconnected(worker, why);
    };
  }

  /** A worker has one control stream: a new one ends the old one. */
  #register(stream: ControlStream, worker: string): string {
    const before = this.#links.get(worker);
    if (before === stream) return worker;
    this.#links.set(worker, stream);
    before?.close('replaced by a newer stream of the same worker');
    this.#process.log(() => `stream of ${worker}`);
    return worker;
  }
}
