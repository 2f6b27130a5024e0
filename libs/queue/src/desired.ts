// What people want of a run: `cria scale`, `pause`, `resume`, `stop`. It carries a revision that only grows, so
// that a Redis that comes back old or empty is filled up by whoever remembers the highest.
import { CriaError, type RunId, type Timer } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { desiredKey } from './keys.js';
import { OFFER_DESIRED, SET_DESIRED } from './lua/desired.js';

export interface Desired {
  readonly revision: number;
  /** Number of seats. */
  readonly target: number;
  readonly paused: boolean;
  /** Write a checkpoint, then end; the run can be resumed. */
  readonly stop: boolean;
}

export type DesiredChange = Partial<Omit<Desired, 'revision'>>;

export type SetDesiredResult =
  | { readonly kind: 'set'; readonly desired: Desired }
  | { readonly kind: 'conflict'; readonly current: Desired }
  /** Redis has lost it; the leader will refill it. */
  | { readonly kind: 'missing' };

export interface DesiredStore {
  read(): Promise<Desired | null>;
  /** Applies the change if the revision is still `expectedRevision`; the new one is one higher. */
  compareAndSet(expected: Desired, change: DesiredChange): Promise<SetDesiredResult>;
  /** Applies the change to whatever is current. REDIS_UNAVAILABLE when Redis has lost it. */
  update(change: DesiredChange): Promise<Desired>;
  /** Creation and refill: stored unless Redis holds this revision or a higher one. Answers what holds now. */
  offer(desired: Desired): Promise<Desired>;
  /**
   * Calls back with the current one and then with every higher revision: at once while pub/sub works, within
   * `pollMs` (default 1000) otherwise.
   *
   * @returns a function that stops watching
   */
  watch(onChange: (desired: Desired) => void, options?: { pollMs?: number }): () => void;
}

export function redisDesired(connection: RedisConnection, runId: RunId): DesiredStore {
  return new RedisDesired(connection, runId);
}

const UPDATE_TRIES = 16;

class RedisDesired implements DesiredStore {
  readonly #connection: RedisConnection;
  readonly #key: string;

  constructor(connection: RedisConnection, runId: RunId) {
    this.#connection = connection;
    this.#key = desiredKey(runId);
  }

  async read(): Promise<Desired | null> {
    const body = await this.#connection.call('reading what is desired', (c) => c.hget(this.#key, 'body'));
    return body === null ? null : parse(body);
  }

  async compareAndSet(expected: Desired, change: DesiredChange): Promise<SetDesiredResult> {
    const desired: Desired = { ...expected, ...change, revision: expected.revision + 1 };
    const args = [expected.revision, desired.revision, JSON.stringify(desired)];
    const reply = await this.#connection.run(SET_DESIRED, [this.#key], args);
    const [kind, body] = reply as readonly ['set'] | readonly ['missing'] | readonly ['conflict', string];
    if (kind === 'conflict') return { kind, current: parse(body) };
    return kind === 'set' ? { kind, desired } : { kind };
  }

  async update(change: DesiredChange): Promise<Desired> {
    for (let attempt = 0; attempt < UPDATE_TRIES; attempt++) {
      const current = await this.read();
      if (current === null) break;
      const result = await this.compareAndSet(current, change);
      if (result.kind === 'set') return result.desired;
    }
    throw new CriaError('REDIS_UNAVAILABLE', 'Redis knows nothing of this run yet: try again in a moment');
  }

  async offer(desired: Desired): Promise<Desired> {
    const args = [desired.revision, JSON.stringify(desired)];
    const reply = await this.#connection.run(OFFER_DESIRED, [this.#key], args);
    const [kind, body] = reply as readonly ['stored'] | readonly ['kept', string];
    return kind === 'stored' ? desired : parse(body);
  }

  watch(onChange: (desired: Desired) => void, { pollMs = 1000 } = {}): () => void {
    const { clock, log } = this.#connection;
    let seenRevision = -1;
    let stopped = false;
    let timer: Timer | null = null;
    const see = (desired: Desired | null): void => {
      if (stopped || desired === null || desired.revision <= seenRevision) return;
      seenRevision = desired.revision;
      onChange(desired);
    };
    const poll = async (): Promise<void> => {
      const desired = await this.read().catch((error: unknown) => {
        log.debug({ error: String(error) }, 'what is desired could not be read');
        return null;
      });
      see(desired);
      if (!stopped) timer = clock.timer(pollMs, () => void poll());
    };
    const unsubscribe = this.#connection.subscribe(this.#key, (body) => see(parse(body)));
    void poll();
    return () => {
      stopped = true;
      timer?.cancel();
      unsubscribe();
    };
  }
}

function parse(body: string): Desired {
  return JSON.parse(body) as Desired;
}
