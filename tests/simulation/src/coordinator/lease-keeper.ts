// Keeps a lease that was acquired and knows when it may no longer be relied on (libs/queue/src/lease-keeper.ts).
import type { Cluster } from '../cluster.js';
import type { FakeRedis } from '../stores/fake-redis.js';
import type { SimTerm } from '../stores/redis-data.js';
import { Chain, sleep, wait, type Task } from '../world/future.js';
import type { SimProcess, SimTimer } from '../world/process.js';

export interface LeaseKeeperOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly term: SimTerm;
  readonly sentAtMs: number;
  onLost(why: string): void;
}

const RETRIES_PER_INTERVAL = 4;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #redis: FakeRedis;
  readonly #requests: Chain;
  #term: SimTerm;
  #sentAtMs: number;
  #ended = false;
  #renewal: SimTimer | null = null;
  #deadline: SimTimer | null = null;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#redis = options.cluster.redis;
    this.#requests = new Chain(options.process);
    this.#term = options.term;
    this.#sentAtMs = options.sentAtMs;
  }

  get term(): SimTerm {
    return this.#term;
  }

  start(): void {
    this.#armDeadline();
    this.#scheduleRenewal(this.#intervalMs);
  }

  /** Between two renewals. @returns whether the lease is still ours */
  *raiseTerm(atLeast: number): Task<boolean> {
    return yield* wait(
      this.#options.process,
      this.#requests.push(() => this.#raise(atLeast)),
    );
  }

  *release(): Task {
    const { process } = this.#options;
    this.#end();
    yield* wait(process, this.#requests.last);
    const term = this.#term;
    try {
      yield* wait(
        process,
        this.#redis.call(process, 'release', (data, nowMs) => data.release(nowMs, term)),
      );
    } catch {
      // It will expire.
    }
  }

  *#raise(atLeast: number): Task<boolean> {
    const { process } = this.#options;
    for (;;) {
      if (this.#ended || this.#remainingMs() <= 0) return false;
      const term = this.#term;
      try {
        const raise = this.#redis.call(process, 'raise', (data, nowMs) =>
          data.raiseTerm(nowMs, term, atLeast),
        );
        const number = yield* wait(process, raise);
        if (number === null) {
          this.#lose('the lease was refused');
          return false;
        }
        this.#term = { ...term, number };
        return true;
      } catch {
        yield* sleep(process, this.#intervalMs / RETRIES_PER_INTERVAL);
      }
    }
  }

  *#renew(): Task {
    if (this.#ended) return;
    const { process, cluster } = this.#options;
    const { leaseMs } = cluster.timeouts;
    const sentAtMs = cluster.world.nowMs;
    const term = this.#term;
    try {
      const renewed = yield* wait(
        process,
        this.#redis.call(process, 'renew', (data, nowMs) => data.renew(nowMs, term, leaseMs)),
      );
      if (this.#ended) return;
      if (!renewed) return this.#lose('the lease was refused');
      this.#sentAtMs = Math.max(this.#sentAtMs, sentAtMs);
      this.#armDeadline();
      this.#scheduleRenewal(this.#intervalMs);
    } catch {
      this.#scheduleRenewal(this.#intervalMs / RETRIES_PER_INTERVAL);
    }
  }

  get #intervalMs(): number {
    return this.#options.cluster.timeouts.leaseMs / 3;
  }

  #remainingMs(): number {
    const { leaseMs, skewMs } = this.#options.cluster.timeouts;
    return Math.max(0, this.#sentAtMs + leaseMs - skewMs - this.#options.cluster.world.nowMs);
  }

  #scheduleRenewal(delayMs: number): void {
    if (this.#ended) return;
    this.#renewal?.cancel();
    this.#renewal = this.#options.process.after(delayMs, () => void this.#requests.push(() => this.#renew()));
  }

  #armDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = this.#options.process.after(this.#remainingMs(), () => {
      if (this.#remainingMs() > 0) this.#armDeadline();
      else this.#lose('the lease was not renewed in time');
    });
  }

  #lose(why: string): void {
    if (this.#ended) return;
    this.#end();
    this.#options.onLost(why);
  }

  #end(): void {
    this.#ended = true;
    this.#renewal?.cancel();
    this.#deadline?.cancel();
  }
}
