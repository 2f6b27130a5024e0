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
  RunRecord,
  SeenCoordinator,
} from '@cria/queue';
import type { LedgerCopy } from '@cria/ledger';
import { CriaError, pauseAt, sleep, type Clock, type Log } from '@cria/runtime';
import { hostname } from 'node:os';
import type { Leadership, LeadershipEnd } from './lead/leadership.js';
import { takeOver } from './lead/take-over.js';
import type { RunContext } from './run-context.js';

export interface CoordinatorParts {
  readonly context: RunContext;
  readonly run: RunRecord;
  readonly redis: RedisConnection;
  /** Another connection to the same Redis, for seats and shards. */
  readonly queues: RedisConnection;
  /** What was wanted of the run as far as its directory tells; null for a new run. */
  readonly knownWish: Desired | null;
  /** A supervisor starts this process again in the middle of a run. */
  readonly restarted: boolean;
  readonly httpAddress: string;
  /** This process leads; `begins`: nobody led the run before, in this life of it. */
  onLeads(begins: boolean): void;
  /** The run has ended under this leader; said before another can take the lease. */
  onEnded(end: RunEnd): void;
  readonly clock: Clock;
  readonly log: Log;
}

export type RunEnd = Extract<LeadershipEnd, { kind: 'ended' | 'failed' }>;
/** The run ended under another leader while this process stood by. */
export type EndElsewhere = { readonly kind: 'ended-elsewhere' };

const RETRY_MS = 300;
/** A standby asks for the lease this often within its length: what a failover waits beyond the lease. */
const ASKS_PER_LEASE = 12;
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
  /** When this process first found another one leading. */
  #stoodBySinceMs: number | null = null;
  #hasLed = false;
  #trouble: string | null = null;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#lease = redisLease(parts.redis, parts.context.runId);
    this.desired = redisDesired(parts.redis, parts.context.runId);
    const { target } = parts.context.config.workers;
    this.#wanted = parts.knownWish ?? { revision: 0, target, paused: false, stop: false };
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

  /** HOST:PORT of the HTTP API of another coordinator that leads; null when this one does or nobody is known to. */
  get leaderHttpAddress(): string | null {
    if (this.#leadership !== null || this.#holder === null) return null;
    return this.#seen.find(({ id }) => id === this.#holder?.leader)?.httpAddress ?? null;
  }

  /** Why this process can neither lead nor learn who does, as last told; null when nothing keeps it from that. */
  get trouble(): string | null {
    return this.#trouble;
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
  async run(signal: AbortSignal): Promise<RunEnd | EndElsewhere | null> {
    const { clock } = this.#parts;
    const stopAnnouncing = this.#announce(signal);
    const unwatch = this.desired.watch((desired) => this.#wish(desired));
    try {
      let termAtLeast = 0;
      let copies: readonly LedgerCopy[] = [];
      while (!signal.aborted) {
        const acquired = await this.#acquire(signal);
        if (acquired === null) return null;
        const end = await this.#lead(acquired, { termAtLeast, copies }, signal);
        if (end.kind !== 'stepped-down') return end;
        this.#parts.log.info({ why: end.why }, 'steps down');
        if (signal.aborted) return null;
        copies = end.copies;
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
        this.#trouble = null;
        if (result.kind === 'acquired') return result;
        this.#holder = result.holder;
        this.#stoodBySinceMs ??= clock.monotonicMs();
      } catch (error) {
        if (!CriaError.is(error) || error.action !== 'retry') throw error;
        this.#trouble = error.message;
        log.warn({ error: error.message }, 'Redis does not answer; tried again');
      }
      await sleep(clock, leaseMs / ASKS_PER_LEASE, signal).catch(() => undefined);
    }
    return null;
  }

  /** A lease that outlived its own length was renewed: somebody else led, so this is a failover. */
  #beginsLife(): boolean {
    const { context, clock, restarted } = this.#parts;
    if (restarted || this.#hasLed) return false;
    if (this.#stoodBySinceMs === null) return true;
    const { leaseMs } = context.config.timeouts;
    return clock.monotonicMs() - this.#stoodBySinceMs <= leaseMs * (1 + 2 / ASKS_PER_LEASE);
  }

  /** A new life wants what its configuration says; a failover goes on with what was wanted. */
  async #wishOfNewLife(): Promise<Desired> {
    const held = await this.desired.read();
    const revision = Math.max(this.#wanted.revision, held?.revision ?? 0) + 1;
    return { revision, target: this.#parts.context.config.workers.target, paused: false, stop: false };
  }

  /** Whether the run ended while this process stood by: the lease is then free because nobody needs it. */
  async #hasEndedElsewhere(): Promise<boolean> {
    if (this.#stoodBySinceMs === null || this.#hasLed) return false;
    const records = await redisRunRegistry(this.#parts.redis).listRuns();
    const ours = records.find(({ id }) => id === this.#parts.context.runId);
    return ours !== undefined && ours.state !== 'running';
  }

  async #lead(
    acquired: Extract<AcquireResult, { kind: 'acquired' }>,
    known: { readonly termAtLeast: number; readonly copies: readonly LedgerCopy[] },
    signal: AbortSignal,
  ): Promise<LeadershipEnd | EndElsewhere> {
    const { context, clock, log, redis, queues, run } = this.#parts;
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
      pauseAt('lease-taken', acquired.term.number);
      if (await this.#hasEndedElsewhere()) return { kind: 'ended-elsewhere' };
      const begins = this.#beginsLife();
      if (begins) this.#wanted = await this.#wishOfNewLife();
      const tail = redisLedgerTail(redis, context.runId);
      const desired = this.desired;
      this.#leadership = await takeOver({
        ...{ context, run, redis, queues, lease: keeper, tail, desired, ...known },
        ...{ wanted: this.#wanted, goesOn: !begins },
      });
      if (lost !== null || signal.aborted) this.#leadership.stepDown(lost ?? 'this coordinator leaves', 0);
      const { number } = this.#leadership.state.term;
      this.#lastTerm = number;
      this.#hasLed = true;
      log.info({ term: number }, 'leads');
      this.#parts.onLeads(begins);
      const text = `${context.coordinatorId} leads (term ${number})`;
      context.recorder.event('leader-elected', this.#leadership.state.head, text);
      const end = await this.#leadership.run();
      if (end.kind !== 'stepped-down') await this.#end(end);
      return end;
    } catch (error) {
      const failure = CriaError.from(error);
      if (failure.action !== 'retry' && failure.action !== 'resync') {
        const end = { kind: 'failed', error: failure } as const;
        await this.#end(end);
        return end;
      }
      log.warn({ error: failure.message }, 'could not take over; tried again');
      return { kind: 'stepped-down', why: failure.message, termAtLeast: 0, copies: known.copies };
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#leadership = null;
      await keeper.release().catch(() => undefined);
      keeper.stop();
    }
  }

  /** Told before the lease is free again: whoever gets it then must find a run that has ended. */
  async #end(end: RunEnd): Promise<void> {
    const { redis, context } = this.#parts;
    this.#parts.onEnded(end);
    if (end.kind !== 'ended') return;
    const state = end.ending === 'finished' ? 'finished' : 'stopped';
    await redisRunRegistry(redis)
      .setRunState(context.runId, state)
      .catch(() => undefined);
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
