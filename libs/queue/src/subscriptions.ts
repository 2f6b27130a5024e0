// Pub/sub needs a connection of its own: a subscribed one takes no other commands.
import type { Log } from '@cria/runtime';
import type { Redis } from 'ioredis';

type OnMessage = (message: string) => void;

/** Channel -> listeners over one connection that is opened with the first of them. */
export class Subscriptions {
  readonly #open: () => Redis;
  readonly #log: Log;
  readonly #listeners = new Map<string, Set<OnMessage>>();
  #client: Redis | null = null;

  constructor(open: () => Redis, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  add(channel: string, onMessage: OnMessage): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    listeners.add(onMessage);
    if (listeners.size === 1) this.#subscribe(channel);
    return () => {
      listeners.delete(onMessage);
      if (listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
      this.#listeners.delete(channel);
      if (this.#client?.status === 'ready') this.#client.unsubscribe(channel).catch(() => undefined);
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#client?.disconnect();
    this.#client = null;
  }

  #subscribe(channel: string): void {
    this.#client ??= this.#connect();
    if (this.#client.status !== 'ready') return;
    this.#client.subscribe(channel).catch((error: Error) => this.#note(error));
  }

  #connect(): Redis {
    const client = this.#open();
    client.on('error', (error) => this.#note(error));
    client.on('ready', () => {
      const channels = [...this.#listeners.keys()];
      if (channels.length > 0) client.subscribe(...channels).catch((error: Error) => this.#note(error));
    });
    client.on('message', (channel: string, message: string) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message);
    });
    client.connect().catch((error: Error) => this.#note(error));
    return client;
  }

  #note(error: Error): void {
    this.#log.debug(
      { error: error.message },
      'the pub/sub connection to Redis failed, it will be opened again',
    );
  }
}
