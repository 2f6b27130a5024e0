// The shards queue is bookkeeping for people who look with BullMQ's tools: which window of steps is being
// trained, how far it is, what is left. Nothing is ever decided by it. So its jobs carry no locks (BullMQ's
// token '0'), and a new leader clears the queue away and writes it anew from its ledger's head.
import { assert, type RunId, type Timer } from '@cria/runtime';
import type { Job, Queue, Worker } from 'bullmq';
import { openFetcher, openQueue, unlessGone } from './bull.js';
import type { RedisConnection } from './connection.js';
import type { Term } from './lease.js';
import { shardWindows, type ShardWindow } from './shard-windows.js';

export interface ShardsBudget {
  /** Steps of the whole run. */
  readonly steps: number;
  readonly shardSteps: number;
  /** Steps that are committed: the first one still to do. */
  readonly fromStep: number;
}

/** One leadership's view of the shards queue. Every call may fail like any Redis command; none matters. */
export interface ShardsBoard {
  /** Clears the queue and adds one job per window that is left; answers how many. */
  publishShards(budget: ShardsBudget): Promise<number>;
  /** Shows how far the current shard is, at most once a second. `committed` counts committed steps. */
  markProgress(committed: number): void;
  /** Completes the shards whose steps are all committed. `missing`: Redis has lost them, publish again. */
  completeUpTo(committed: number): Promise<'ok' | 'missing'>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

export function redisShardsBoard(connection: RedisConnection, runId: RunId, term: Term): ShardsBoard {
  return new RedisShardsBoard(connection, runId, term);
}

/** BullMQ's way to say "without a lock". */
const NO_LOCK = '0';
const PROGRESS_EVERY_MS = 1000;
/** Jobs per pipeline. */
const CHUNK = 500;
/** A whole LiteLlama run has a thousand shards or so; clearing and adding them takes longer than a command. */
const PUBLISH_TIMEOUT_MS = 15_000;

class RedisShardsBoard implements ShardsBoard {
  readonly #connection: RedisConnection;
  readonly #term: Term;
  readonly #queue: Queue<ShardWindow>;
  readonly #fetcher: Worker<ShardWindow>;
  /** The shard being trained. */
  #active: Job<ShardWindow> | null = null;
  /** Published shards that nobody has begun. */
  #left = 0;
  #isPaused = false;
  #committed = 0;
  #progressTimer: Timer | null = null;
  #progressAtMs = Number.NEGATIVE_INFINITY;

  constructor(connection: RedisConnection, runId: RunId, term: Term) {
    this.#connection = connection;
    this.#term = term;
    this.#queue = openQueue(connection, runId, 'shards');
    this.#fetcher = openFetcher(connection, runId, 'shards', PUBLISH_TIMEOUT_MS);
  }

  async publishShards({ steps, shardSteps, fromStep }: ShardsBudget): Promise<number> {
    assert(Number.isInteger(shardSteps) && shardSteps > 0, 'a shard has at least one step');
    this.#active = null;
    const jobs = shardWindows({ fromStep, steps, shardSteps }).map((window) => ({
      name: 'shard',
      data: window,
      opts: { jobId: `shard-${this.#term.number}-${window.fromStep}-${window.toStep}` },
    }));
    const clear = (): Promise<void> => this.#queue.obliterate({ force: true });
    await this.#connection.call('clearing the shards', clear, PUBLISH_TIMEOUT_MS);
    for (let from = 0; from < jobs.length; from += CHUNK) {
      const add = (): Promise<unknown> => this.#queue.addBulk(jobs.slice(from, from + CHUNK));
      await this.#connection.call('publishing shards', add, PUBLISH_TIMEOUT_MS);
    }
    this.#left = jobs.length;
    await (this.#isPaused ? this.pause() : this.resume());
    return jobs.length;
  }

  markProgress(committed: number): void {
    this.#committed = committed;
    if (this.#progressTimer !== null) return;
    const { clock } = this.#connection;
    const waitMs = Math.max(0, this.#progressAtMs + PROGRESS_EVERY_MS - clock.monotonicMs());
    this.#progressTimer = clock.timer(waitMs, () => {
      this.#progressTimer = null;
      this.#progressAtMs = clock.monotonicMs();
      void this.#showProgress();
    });
  }

  async completeUpTo(committed: number): Promise<'ok' | 'missing'> {
    this.#committed = committed;
    if (this.#active === null && !(await this.#takeNext())) return 'missing';
    while (this.#active !== null && this.#active.data.toStep <= committed) {
      const job: Job<ShardWindow> = this.#active;
      const complete = (): Promise<unknown> =>
        job.moveToCompleted({ toStep: job.data.toStep }, NO_LOCK, false);
      const outcome = await this.#connection.call('completing a shard', () =>
        unlessGone(complete(), 'ok' as const, 'missing' as const),
      );
      this.#active = null;
      if (outcome === 'missing' || !(await this.#takeNext())) return 'missing';
    }
    return 'ok';
  }

  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#connection.call('pausing the shards', () => this.#queue.pause());
  }

  async resume(): Promise<void> {
    this.#isPaused = false;
    await this.#connection.call('resuming the shards', () => this.#queue.resume());
    if (this.#active === null) await this.#takeNext();
  }

  async close(): Promise<void> {
    this.#progressTimer?.cancel();
    await this.#fetcher.close();
    await this.#queue.close();
  }

  /** False when a shard should be there and is not. */
  async #takeNext(): Promise<boolean> {
    if (this.#left === 0 || this.#isPaused) return true;
    const fetch = (): Promise<Job<ShardWindow> | undefined> =>
      this.#fetcher.getNextJob(NO_LOCK, { block: false });
    const job = await this.#connection.call('taking a shard', fetch);
    if (job === undefined) return false;
    this.#active = job;
    this.#left -= 1;
    return true;
  }

  async #showProgress(): Promise<void> {
    const job = this.#active;
    if (job === null) return;
    const { fromStep, toStep } = job.data;
    const done = Math.min(Math.max(this.#committed - fromStep, 0), toStep - fromStep);
    const progress = { fromStep, toStep, committed: this.#committed, share: done / (toStep - fromStep) };
    await this.#connection
      .call('showing progress', () => job.updateProgress(progress))
      .catch((error: unknown) => {
        this.#connection.log.debug({ error: String(error) }, 'the progress of a shard was not shown');
      });
  }
}
