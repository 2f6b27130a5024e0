// One coordinator process: serves the run, and leads whenever it gets the lease.
import {
  redisCoordinatorRoster,
  redisDesired,
  redisLease,
  redisLedgerTail,
  redisRunRegistry,
  LeaseKeeper,
} from '@cria/queue';
import type {
  AcquireResult,
  Desired,
  DesiredStore,
  Lease,
  LeaseHolder,
  RedisConnection,
  SeenCoordinator,
} from '@cria/queue';
import { CriaError, sleep, type Clock, type Log } from '@cria/runtime';
import { hostname } from 'node:os';
import type { Leadership, LeadershipEnd } from './lead/leadership.js';
import { takeOver } from './lead/take-over.js';
import type { RunContext } from './run-context.js';

export interface CoordinatorParts {
  readonly context: RunContext;
  readonly runName: string;
  readonly redis: RedisConnection;
  readonly initialDesired: Desired;
  readonly httpAddress: string;
  readonly clock: Clock;
  readonly log: Log;
}

export type RunEnd = Extract<LeadershipEnd, { kind: 'ended' | 'failed' }>;

const RETRY_MS = 300;
const ANNOUNCE_MS = 2000;

export class Coordinator {
  readonly desired: DesiredStore;
  readonly #parts: CoordinatorParts;
  readonly #lease: Lease;
  #leadership: Leadership | null = null;
  #holder: LeaseHolder | null = null;
  #seen: SeenCoordinator[] = [];
  #wanted: Desired;
  #lastTerm = 0;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#lease = redisLease(parts.redis, parts.context.runId);
    this.desired = redisDesired(parts.redis, parts.context.runId);
    this.#wanted = parts.initialDesired;
  }

  get leadership(): Leadership | null {
    return this.#leadership;
  }

  /** Who leads, as far as this process knows. */
  get leader(): { id: string; term: number; address: string } {
    const { context } = this.#parts;
    if (this.#leadership !== null) {
      return {
        id: context.coordinatorId,
        term: this.#leadership.state.term.number,
        address: context.controlAddress,
      };
    }
    return {
      id: this.#holder?.leader ?? '',
      term: this.#holder?.number ?? 0,
      address: this.#holder?.address ?? '',
    };
  }

  /** Coordinators that announced themselves lately, this one included. */
  get seen(): readonly SeenCoordinator[] {
    return this.#seen;
  }

  /** What the run's people want, as last heard. */
  get wanted(): Desired {
    return this.#wanted;
  }

  /** Stands by or leads until the run has ended; null when the signal aborted first. */
  async run(signal: AbortSignal): Promise<RunEnd | null> {
    const { redis, context, clock } = this.#parts;
    const stopAnnouncing = this.#announce(signal);
    const unwatch = this.desired.watch((desired) => this.#wish(desired));
    try {
      let termAtLeast = 0;
      while (!signal.aborted) {
        const acquired = await this.#acquire(signal);
        if (acquired === null) return null;
        const end = await this.#lead(acquired, termAtLeast, signal);
        if (end.kind === 'ended') {
          const state = end.ending === 'finished' ? 'finished' : 'stopped';
          await redisRunRegistry(redis)
            .setRunState(context.runId, state)
            .catch(() => undefined);
          return end;
        }
        if (end.kind === 'failed') return end;
        if (signal.aborted) return null;
        // A number is never led under twice: Redis may have forgotten it.
        termAtLeast = Math.max(termAtLeast, end.termAtLeast, this.#lastTerm + 1);
        await sleep(clock, RETRY_MS, signal).catch(() => undefined);
      }
      return null;
    } finally {
      unwatch();
      stopAnnouncing();
    }
  }

  #wish(desired: Desired): void {
    if (desired.revision < this.#wanted.revision) return;
    this.#wanted = desired;
    this.#leadership?.wish(desired);
  }

  async #acquire(signal: AbortSignal): Promise<Extract<AcquireResult, { kind: 'acquired' }> | null> {
    const { context, clock, log } = this.#parts;
    const { leaseMs } = context.config.timeouts;
    while (!signal.aborted) {
      try {
        const result = await this.#lease.acquire(context.coordinatorId, this.#at(), leaseMs);
        if (result.kind === 'acquired') return result;
        this.#holder = result.holder;
      } catch (error) {
        if (!CriaError.is(error) || error.action !== 'retry') throw error;
        log.warn({ error: error.message }, 'Redis does not answer; tried again');
      }
      await sleep(clock, Math.max(RETRY_MS, leaseMs / 6), signal).catch(() => undefined);
    }
    return null;
  }

  async #lead(
    acquired: Extract<AcquireResult, { kind: 'acquired' }>,
    termAtLeast: number,
    signal: AbortSignal,
  ): Promise<LeadershipEnd> {
    const { context, clock, log, redis, runName } = this.#parts;
    const { leaseMs, skewMs } = context.config.timeouts;
    let lost: string | null = null;
    const keeper = new LeaseKeeper(acquired, {
      lease: this.#lease,
      clock,
      log,
      leaseMs,
      skewMs,
      at: () => this.#at(),
      onLost: ({ reason }) => {
        lost = `the lease was ${reason === 'expired' ? 'not renewed in time' : 'refused'}`;
        this.#leadership?.stepDown(lost, 0);
      },
    });
    keeper.start();
    const onAbort = (): void => this.#leadership?.stepDown('this coordinator leaves', 0);
    signal.addEventListener('abort', onAbort);
    try {
      const tail = redisLedgerTail(redis, context.runId);
      const desired = this.desired;
      this.#leadership = await takeOver({
        ...{ context, runName, redis, lease: keeper, tail, desired, termAtLeast },
        wanted: this.#wanted,
      });
      if (lost !== null || signal.aborted) this.#leadership.stepDown(lost ?? 'this coordinator leaves', 0);
      const { number } = this.#leadership.state.term;
      this.#lastTerm = number;
      log.info({ term: number }, 'leads');
      const text = `${context.coordinatorId} leads (term ${number})`;
      context.recorder.event('leader-elected', this.#leadership.state.head, text);
      return await this.#leadership.run();
    } catch (error) {
      const failure = CriaError.from(error);
      if (failure.action !== 'retry' && failure.action !== 'resync')
        return { kind: 'failed', error: failure };
      log.warn({ error: failure.message }, 'could not take over; tried again');
      return { kind: 'stepped-down', why: failure.message, termAtLeast: 0 };
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#leadership = null;
      await keeper.release().catch(() => undefined);
      keeper.stop();
    }
  }

  #at(): { address: string; coordinators: string[] } {
    const { context } = this.#parts;
    return { address: context.controlAddress, coordinators: context.coordinators() };
  }

  #announce(signal: AbortSignal): () => void {
    const { redis, context, httpAddress, clock } = this.#parts;
    const roster = redisCoordinatorRoster(redis, context.runId);
    const self = {
      id: context.coordinatorId,
      address: context.controlAddress,
      httpAddress,
      host: hostname(),
      pid: process.pid,
    };
    const stop = new AbortController();
    const loop = async (): Promise<void> => {
      while (!stop.signal.aborted && !signal.aborted) {
        // Redis may be away: the list is a convenience, and the next round mends it.
        this.#seen = await roster.announce(self).catch(() => this.#seen);
        await sleep(clock, ANNOUNCE_MS, stop.signal).catch(() => undefined);
      }
      await roster.leave(context.coordinatorId).catch(() => undefined);
    };
    void loop();
    return () => stop.abort();
  }
}
