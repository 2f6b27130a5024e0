// The worker's control stream to whoever leads (apps/worker/src/rpc/control-link.ts).
import type { Cluster } from '../cluster.js';
import type { LeaderMessage, WorkerMessage } from '@cria/worker/decide/worker-events';
import type { Abort } from '../world/future.js';
import { Future, sleep, wait, waitAtMost, type Task } from '../world/future.js';
import type { SimProcess, SimTimer } from '../world/process.js';
import { openStream, type StreamEnd } from '../world/stream.js';

export interface ControlLinkOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly addresses: readonly string[];
  onConnected(): void;
  onMessage(message: LeaderMessage): void;
  onDisconnected(why: string): void;
}

const DESCRIBE_MS = 2000;
const RETRY_MS = 150;
const RETRY_MAX_MS = 1000;

/** The leader's address as a coordinator knows it; null: it does not answer, or knows of none. */
export function* describe(cluster: Cluster, process: SimProcess, address: string): Task<string | null> {
  const at = cluster.coordinators.get(address);
  if (at === undefined || !at.process.alive) {
    yield* sleep(process, 1);
    return null;
  }
  const reply = cluster.world.network.call(process, at.process, function* () {
    yield* sleep(at.process, 0);
    return at.serves.leaderAddress();
  });
  try {
    if (!(yield* waitAtMost(process, reply, DESCRIBE_MS))) return null;
    return yield* wait(process, reply);
  } catch {
    return null;
  }
}

export class ControlLink {
  readonly #options: ControlLinkOptions;
  readonly #known: Set<string>;
  #call: StreamEnd<LeaderMessage, WorkerMessage> | null = null;

  constructor(options: ControlLinkOptions) {
    this.#options = options;
    this.#known = new Set(options.addresses);
  }

  *run(abort: Abort): Task {
    const { process } = this.#options;
    let retryMs = RETRY_MS;
    while (!abort.aborted) {
      const address = yield* this.#findLeader();
      if (abort.aborted) return;
      if (address !== null && (yield* this.#serve(address, abort))) retryMs = RETRY_MS;
      if (abort.aborted) return;
      yield* sleep(process, retryMs, abort);
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
    }
  }

  send(message: WorkerMessage): void {
    this.#call?.send(message);
  }

  learn(coordinators: readonly string[]): void {
    for (const address of coordinators) if (address !== '') this.#known.add(address);
  }

  *#findLeader(): Task<string | null> {
    const { cluster, process } = this.#options;
    for (const address of [...this.#known]) {
      const leader = yield* describe(cluster, process, address);
      if (leader !== null && leader !== '') return leader;
    }
    return null;
  }

  /** One stream, from its opening to its end; whether anything was heard on it. */
  *#serve(address: string, abort: Abort): Task<boolean> {
    const { cluster, process, onMessage, onConnected, onDisconnected } = this.#options;
    const { world, timeouts } = cluster;
    const at = cluster.coordinators.get(address);
    if (at === undefined) return false;
    const ended = new Future<boolean>();
    const { client, server } = openStream<WorkerMessage, LeaderMessage>(process, at.process);
    let lastHeardMs = world.nowMs;
    let heard = false;
    let watch: SimTimer;
    const finish = (why: string): void => {
      if (this.#call !== client) return;
      this.#call = null;
      watch.cancel();
      client.break(why);
      onDisconnected(why);
      ended.resolve(heard);
    };
    const check = (): void => {
      const silentMs = world.nowMs - lastHeardMs;
      if (silentMs >= timeouts.suspectMs) return finish('the leader is silent');
      watch = process.after(timeouts.suspectMs - silentMs, check);
    };
    watch = process.after(timeouts.suspectMs, check);
    client.onMessage = (message) => {
      heard = true;
      lastHeardMs = world.nowMs;
      onMessage(message);
    };
    client.onEnd = (why) => finish(why);
    abort.onAbort(() => finish('this worker leaves'));
    at.serves.connect(server);
    this.#call = client;
    onConnected();
    return yield* wait(process, ended);
  }
}
