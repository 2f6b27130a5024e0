// The connection to Redis. It fails fast: nothing is queued while Redis is away, so a caller learns within
// commandTimeoutMs that its command got no answer, and decides itself whether to repeat it. Reconnecting goes on
// in the background.
import { CriaError, sleep, withDeadline, type Clock, type Log } from '@cria/runtime';
import { Redis, type RedisOptions } from 'ioredis';
import { evaluate, type LuaScript } from './lua-script.js';
import { redisError } from './redis-errors.js';
import { displayUrl } from './redis-url.js';
import { Subscriptions } from './subscriptions.js';

export interface ConnectOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long the first connection may take, retries included. */
  readonly connectTimeoutMs?: number;
  /** Deadline of a single command. */
  readonly commandTimeoutMs?: number;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5000;
const DEFAULT_COMMAND_TIMEOUT_MS = 2000;
/** BullMQ's recommended minimum; also the oldest that distributions still ship. */
const MIN_VERSION = '6.2';
/** Reconnecting has to be quicker than a lease (3 s), and not so quick that it costs a core. */
const RECONNECT_MAX_MS = 500;

/**
 * Connects and waits until Redis answers.
 *
 * @throws CriaError CONFIG_INVALID for a wrong URL or password, REDIS_UNAVAILABLE when nobody answers there
 */
export async function connectRedis(url: string, options: ConnectOptions): Promise<RedisConnection> {
  const connection = new RedisConnection(url, displayUrl(url), options);
  try {
    await connection.start();
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/** Made by {@link connectRedis}; every store of this package works over one. */
export class RedisConnection {
  /** The server's URL without its password. */
  readonly displayUrl: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The bare client, for BullMQ; everything else goes through `call` and `run`. */
  readonly client: Redis;
  readonly #connectTimeoutMs: number;
  readonly #commandTimeoutMs: number;
  readonly #subscriptions: Subscriptions;
  #lastError: Error | null = null;
  #wasReady = false;
  #closing = false;

  constructor(url: string, shownUrl: string, options: ConnectOptions) {
    this.displayUrl = shownUrl;
    this.clock = options.clock;
    this.log = options.log;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    this.#commandTimeoutMs = options.commandTimeoutMs ?? DEFAULT_COMMAND_TIMEOUT_MS;
    this.client = new Redis(url, clientOptions(this.#commandTimeoutMs));
    this.#subscriptions = new Subscriptions(() => this.client.duplicate(), options.log);
    this.#watchState();
  }

  /** Whether commands have a chance right now. */
  get isReady(): boolean {
    return this.client.status === 'ready';
  }

  /** The first connection; `connectRedis` calls it. */
  async start(): Promise<void> {
    const deadlineMs = this.clock.monotonicMs() + this.#connectTimeoutMs;
    void this.client.connect().catch(() => undefined);
    for (;;) {
      const error = await this.#ping();
      if (error === null) return this.#checkServer();
      if (error.action === 'fix-config' || this.clock.monotonicMs() >= deadlineMs) throw error;
      await sleep(this.clock, 25);
    }
  }

  /**
   * One or several commands with a deadline over them all.
   *
   * @param what for messages: "reading the lease"
   * @throws CriaError REDIS_UNAVAILABLE or DEADLINE_EXCEEDED (retry); the command may or may not have happened
   */
  async call<T>(what: string, commands: (client: Redis) => Promise<T>, timeoutMs?: number): Promise<T> {
    try {
      const limit = { timeoutMs: timeoutMs ?? this.#commandTimeoutMs, what };
      return await withDeadline(this.clock, commands(this.client), limit);
    } catch (error) {
      throw redisError(this.#reasonOf(error), what, this.displayUrl);
    }
  }

  /** Runs a Lua script; errors as in `call`. */
  run(script: LuaScript, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.call(script.name, (client) => evaluate(client, script, keys, args));
  }

  /**
   * Listens to a pub/sub channel, also after a reconnect. Messages sent meanwhile are lost: poll as well.
   *
   * @returns a function that stops listening
   */
  subscribe(channel: string, onMessage: (message: string) => void): () => void {
    return this.#subscriptions.add(channel, onMessage);
  }

  /** Ends the connection; commands under way fail. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#subscriptions.close();
    if (this.isReady) {
      const limit = { timeoutMs: this.#commandTimeoutMs, what: 'closing the Redis connection' };
      await withDeadline(this.clock, this.client.quit(), limit).catch(() => undefined);
    }
    this.client.disconnect();
  }

  async #ping(): Promise<CriaError | null> {
    try {
      await this.client.ping();
      return null;
    } catch (error) {
      return redisError(this.#reasonOf(error), 'connecting', this.displayUrl);
    }
  }

  /** While the connection is down the client only says that it cannot write; why is what the socket said last. */
  #reasonOf(error: unknown): unknown {
    const isReply = error instanceof Error && error.name === 'ReplyError';
    return isReply || CriaError.is(error) || this.isReady ? error : (this.#lastError ?? error);
  }

  /** An old server lacks commands; a policy other than noeviction throws away jobs and leases when memory is short. */
  async #checkServer(): Promise<void> {
    const info = await this.call('asking Redis for its version', (client) => client.info());
    const version = /redis_version:(\d+\.\d+)/.exec(info)?.[1] ?? MIN_VERSION;
    if (version.localeCompare(MIN_VERSION, 'en', { numeric: true }) < 0) {
      const message = `Redis at ${this.displayUrl} is version ${version}: Cria needs ${MIN_VERSION} or newer`;
      throw new CriaError('CONFIG_INVALID', message);
    }
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction') return;
    const message = 'Redis may evict keys: set its maxmemory-policy to noeviction';
    this.log.warn({ redis: this.displayUrl, policy }, message);
  }

  #watchState(): void {
    this.client.on('error', (error: Error) => {
      this.#lastError = error;
    });
    this.client.on('ready', () => {
      this.#lastError = null;
      if (this.#wasReady) this.log.info({ redis: this.displayUrl }, 'Redis is back');
      this.#wasReady = true;
    });
    this.client.on('close', () => {
      if (!this.#wasReady || this.#closing) return;
      this.log.warn({ redis: this.displayUrl, error: this.#lastError?.message }, 'Redis is away');
    });
  }
}

function clientOptions(commandTimeoutMs: number): RedisOptions {
  return {
    lazyConnect: true,
    // Commands under way when the connection breaks are failed, not repeated behind the caller's back.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    // A Redis that was stopped or cut off never closes the socket; without this the client waits for ever.
    socketTimeout: 2 * commandTimeoutMs,
    retryStrategy: (times) => Math.min(25 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    disableClientInfo: true,
  };
}

/** True for errors after which the same command may simply be sent again. */
export function isRetryable(error: unknown): boolean {
  return CriaError.is(error) && error.action === 'retry';
}
