import type { FromLeader, FromWorker } from '@cria/protocol';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Log, WorkerId } from '@cria/runtime';

export type LeaderMessage = NonNullable<FromLeader['message']>;
export type ControlCall = ServerDuplexStream<FromWorker, FromLeader>;

/** Messages that wait for a slow reader before the worker is given up. */
const QUEUE_MAX = 4096;

/** One worker's control stream, seen from the leader. Messages leave in the order of `send`, also when some wait. */
export class WorkerLink {
  readonly worker: WorkerId;
  readonly #call: ControlCall;
  readonly #log: Log;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(worker: WorkerId, call: ControlCall, log: Log) {
    this.worker = worker;
    this.#call = call;
    this.#log = log;
  }

  uses(call: ControlCall): boolean {
    return this.#call === call;
  }

  /** Sends a message, or one that has still to be put together (tokens read from disk). */
  send(message: LeaderMessage | Promise<LeaderMessage | null>): void {
    if (this.#waiting >= QUEUE_MAX) return this.close(`does not read its messages (${QUEUE_MAX} waiting)`);
    if (this.#waiting === 0 && !(message instanceof Promise)) return this.#write(message);
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => message)
      .then(
        (ready) => {
          if (ready !== null) this.#write(ready);
        },
        (error: unknown) => this.close(String(error)),
      )
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  /** Ends the stream after what was sent. */
  close(why: string): void {
    if (this.#closed) return;
    this.#last = this.#last.finally(() => {
      if (this.#closed) return;
      this.#closed = true;
      this.#log.debug({ worker: this.worker, why }, 'control stream closed');
      this.#call.end();
    });
  }

  #write(message: LeaderMessage): void {
    if (this.#closed || this.#call.cancelled) return;
    this.#call.write({ message });
  }
}
