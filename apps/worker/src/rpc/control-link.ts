// The worker's control stream to whoever leads: finds the leader through any coordinator, and again when it is lost.
import { ControlClient, type DescribeReply, type FromLeader, type FromWorker } from '@cria/protocol';
import { CriaError, sleep, type Clock, type Log } from '@cria/runtime';
import { credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';

export type LeaderMessage = NonNullable<FromLeader['message']>;
export type WorkerMessage = NonNullable<FromWorker['message']>;

export interface ControlLinkOptions {
  readonly runId: string;
  /** Coordinators to try, the most likely leader first; grows with what Describe, Welcome and heartbeats tell. */
  readonly coordinators: readonly string[];
  /** Without a word from the leader for this long the stream is given up. */
  readonly silenceMs: number;
  /** Without a leader for this long the run is given up. */
  readonly orphanMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Coordinators as Redis knows them, asked when those that are known do not know a leader; none when it is away. */
  lookUp(): Promise<readonly string[]>;
  onConnected(): void;
  onMessage(message: LeaderMessage): void;
  /** The message has left this process. */
  onWritten(message: WorkerMessage): void;
  onDisconnected(why: string): void;
}

const CHANNEL = { 'grpc.max_receive_message_length': 64 << 20, 'grpc.enable_retries': 0 };
const DESCRIBE_MS = 2000;
const RETRY_MS = 150;
const RETRY_MAX_MS = 500;

/** Asks one coordinator what it is. Throws PEER_UNREACHABLE. */
export function describe(address: string, runId: string, clock: Clock): Promise<DescribeReply> {
  const client = new ControlClient(address, credentials.createInsecure(), CHANNEL);
  const deadline = clock.wallMs() + DESCRIBE_MS;
  return new Promise((resolve, reject) => {
    client.describe({ runId }, new Metadata(), { deadline }, (error, reply) => {
      client.close();
      if (error === null) return resolve(reply);
      reject(new CriaError('PEER_UNREACHABLE', `no coordinator answers at ${address}`, { cause: error }));
    });
  });
}

export class ControlLink {
  readonly #options: ControlLinkOptions;
  readonly #known: Set<string>;
  #call: ClientDuplexStream<FromWorker, FromLeader> | null = null;
  #lastHeardMs = 0;

  constructor(options: ControlLinkOptions) {
    this.#options = options;
    this.#known = new Set(options.coordinators);
  }

  /** Keeps a stream to the leader until the signal aborts. Throws PEER_UNREACHABLE after orphanMs without one. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, orphanMs } = this.#options;
    let retryMs = RETRY_MS;
    let lostMs = clock.monotonicMs();
    while (!signal.aborted) {
      const address = await this.#findLeader();
      if (address !== null && (await this.#serve(address, signal))) {
        retryMs = RETRY_MS;
        lostMs = clock.monotonicMs();
      }
      if (signal.aborted) return;
      const orphanedMs = clock.monotonicMs() - lostMs;
      if (orphanedMs > orphanMs) {
        throw new CriaError(
          'PEER_UNREACHABLE',
          `no leader for ${Math.round(orphanedMs)} ms: the run is given up`,
        );
      }
      await sleep(clock, retryMs, signal).catch(() => undefined);
      retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
    }
  }

  /** Sends, or drops the message when there is no stream: a Hello will tell the leader what it missed. */
  send(message: WorkerMessage): void {
    this.#call?.write({ message }, (error?: Error | null) => {
      if (!error) this.#options.onWritten(message);
    });
  }

  learn(coordinators: readonly string[]): void {
    for (const address of coordinators) if (address !== '') this.#known.add(address);
  }

  /** Ends the stream after what was sent. */
  end(): void {
    this.#call?.end();
  }

  /** Where the first coordinator that knows says the leader is. It is asked last the next time: it may be wrong. */
  async #findLeader(): Promise<string | null> {
    const { runId, clock, log } = this.#options;
    for (const address of [...this.#known]) {
      try {
        const reply = await describe(address, runId, clock);
        if (reply.runId !== runId) continue;
        this.learn(reply.coordinators);
        if (reply.leaderAddress === '') continue;
        this.#known.delete(address);
        this.#known.add(address);
        return reply.leaderAddress;
      } catch (error) {
        log.debug({ address, error: String(error) }, 'coordinator not reached');
      }
    }
    this.learn(await this.#options.lookUp());
    return null;
  }

  /** One stream, from its opening to its end; whether anything was heard on it. */
  #serve(address: string, signal: AbortSignal): Promise<boolean> {
    const { clock, silenceMs } = this.#options;
    const client = new ControlClient(address, credentials.createInsecure(), CHANNEL);
    const call = client.connect();
    let heard = false;
    return new Promise((resolve) => {
      const finish = (why: string): void => {
        if (this.#call !== call) return;
        this.#call = null;
        watch.cancel();
        signal.removeEventListener('abort', onAbort);
        call.cancel();
        client.close();
        this.#options.onDisconnected(why);
        resolve(heard);
      };
      const onAbort = (): void => finish('this worker leaves');
      const check = (): void => {
        const silentMs = clock.monotonicMs() - this.#lastHeardMs;
        if (silentMs >= silenceMs) return finish(`the leader is silent for ${Math.round(silentMs)} ms`);
        watch = clock.timer(silenceMs - silentMs, check);
      };
      this.#lastHeardMs = clock.monotonicMs();
      let watch = clock.timer(silenceMs, check);
      call.on('data', ({ message }: FromLeader) => {
        heard = true;
        this.#lastHeardMs = clock.monotonicMs();
        if (message !== undefined) this.#options.onMessage(message);
      });
      call.on('error', (error: Error) => finish(error.message));
      call.on('end', () => finish('the leader closed the stream'));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#call = call;
      this.#options.onConnected();
    });
  }
}
