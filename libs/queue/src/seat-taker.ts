// The worker's side of the seats queue: waits until some run wants a worker, takes one invitation and says where
// to send the Hello. It holds no other job and no blocking read, so a worker that dies leaves at most one
// invitation behind, whose lock runs out by itself.
import { randomId, type Clock, type RunId } from '@cria/runtime';
import type { Job, Worker } from 'bullmq';
import { openFetcher, unlessGone } from './bull.js';
import type { RedisConnection } from './connection.js';
import { SEATS_CHANNEL } from './keys.js';
import { redisLease, type LeaseHolder, type Term } from './lease.js';
import type { RunRecord } from './run-record.js';
import { redisRunRegistry, type RunRegistry } from './run-registry.js';
import { invitationNumber, type InvitationData } from './seat-invitation.js';

export interface SeatTakerOptions {
  readonly connection: RedisConnection;
  /** `--run NAME`: this run only. */
  readonly runName?: string;
  /** Runs that this worker cannot compute are passed over. */
  readonly canServe?: (run: RunRecord) => boolean;
  /** How long an offer may go unnoticed when pub/sub fails. */
  readonly pollMs?: number;
}

/** One invitation; exactly one of `welcomed` and `giveBack` ends it. */
export interface TakenSeat {
  readonly runId: RunId;
  readonly runName: string;
  readonly jobId: string;
  /** Who leads the run as far as Redis knows. */
  readonly term: Term;
  /** Where to try Hello, the leader first. */
  readonly addresses: readonly string[];
  /** Monotonic time after which the leader counts the seat as open again. */
  readonly expiresAtMs: number;
  /** The Hello was answered by a Welcome: the invitation is used up. `expired`: it was gone already. */
  welcomed(): Promise<'completed' | 'expired'>;
  /** Somebody else may have it; this worker passes the run over for `avoidMs` (default 5000). */
  giveBack(options?: { avoidMs?: number }): Promise<'returned' | 'expired'>;
}

export interface SeatTaker {
  /** Waits for an invitation, however long, also while Redis is away; rejects with the signal's reason. */
  take(options: { signal: AbortSignal }): Promise<TakenSeat>;
  close(): Promise<void>;
}

export function redisSeatTaker(options: SeatTakerOptions): SeatTaker {
  return new RedisSeatTaker(options);
}

const DEFAULT_POLL_MS = 1000;
/** BullMQ's default; replaced by the run's seatMs as soon as the invitation is read. */
const FIRST_LOCK_MS = 30_000;

class RedisSeatTaker implements SeatTaker {
  readonly #options: SeatTakerOptions;
  readonly #clock: Clock;
  readonly #registry: RunRegistry;
  readonly #fetchers = new Map<RunId, Worker<InvitationData>>();
  /** Run -> monotonic time until which it is passed over. */
  readonly #avoided = new Map<RunId, number>();

  constructor(options: SeatTakerOptions) {
    this.#options = options;
    this.#clock = options.connection.clock;
    this.#registry = redisRunRegistry(options.connection);
  }

  async take({ signal }: { signal: AbortSignal }): Promise<TakenSeat> {
    const { connection, pollMs = DEFAULT_POLL_MS } = this.#options;
    const bell = new Bell(this.#clock);
    const unsubscribe = connection.subscribe(SEATS_CHANNEL, () => bell.ring());
    try {
      for (;;) {
        signal.throwIfAborted();
        const seat = await this.#tryTake().catch((error: unknown) => {
          connection.log.debug({ error: String(error) }, 'looking for a seat failed');
          return null;
        });
        if (seat !== null) return seat;
        await bell.wait(pollMs, signal);
      }
    } finally {
      unsubscribe();
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#fetchers.values()].map((fetcher) => fetcher.close()));
    this.#fetchers.clear();
  }

  /** The oldest run with a live leader and an open seat. */
  async #tryTake(): Promise<TakenSeat | null> {
    const runs = (await this.#registry.listRuns()).filter((run) => this.#isWanted(run));
    await this.#closeFetchersExcept(new Set(runs.map((run) => run.id)));
    for (const run of runs) {
      const holder = await redisLease(this.#options.connection, run.id).read();
      const seat = holder === null ? null : await this.#takeFrom(run, holder);
      if (seat !== null) return seat;
    }
    return null;
  }

  #isWanted(run: RunRecord): boolean {
    const { runName, canServe = () => true } = this.#options;
    if (run.state !== 'running' || (runName !== undefined && run.name !== runName)) return false;
    return (this.#avoided.get(run.id) ?? 0) <= this.#clock.monotonicMs() && canServe(run);
  }

  async #takeFrom(run: RunRecord, holder: LeaseHolder): Promise<TakenSeat | null> {
    const { connection } = this.#options;
    const token = randomId();
    const fetcher = this.#fetcherOf(run.id);
    const sentAtMs = this.#clock.monotonicMs();
    const job = await connection.call('taking a seat', () => fetcher.getNextJob(token, { block: false }));
    if (job === undefined) return null;
    if (invitationNumber(job.id ?? '') === null) {
      connection.log.warn({ run: run.name, jobId: job.id }, 'a job on the seats queue is no invitation');
      await connection.call('refusing a job', () => job.moveToFailed(new Error('no invitation'), token));
      return null;
    }
    const { seatMs } = job.data;
    const isHeld = (await connection.call('holding a seat', () => job.extendLock(token, seatMs))) === 1;
    if (!isHeld) return null;
    return this.#seat(run, holder, { job, token, expiresAtMs: sentAtMs + seatMs });
  }

  #seat(
    run: RunRecord,
    { number, leader, address, coordinators }: LeaseHolder,
    { job, token, expiresAtMs }: { job: Job<InvitationData>; token: string; expiresAtMs: number },
  ): TakenSeat {
    const { connection } = this.#options;
    const addresses = [address, ...coordinators, job.data.address, ...job.data.coordinators];
    return {
      ...{ runId: run.id, runName: run.name, jobId: job.id ?? '', term: { number, leader }, expiresAtMs },
      addresses: [...new Set(addresses)].filter((text) => text !== ''),
      welcomed: () => {
        const done = (): Promise<unknown> => job.moveToCompleted({ ok: true }, token, false);
        return connection.call('using up a seat', () => unlessGone(done(), 'completed', 'expired'));
      },
      giveBack: async ({ avoidMs = 5000 } = {}) => {
        this.#avoided.set(run.id, this.#clock.monotonicMs() + avoidMs);
        const done = (): Promise<unknown> => job.moveToWait(token);
        const outcome = await connection.call('giving a seat back', () =>
          unlessGone(done(), 'returned', 'expired'),
        );
        await connection.call('announcing seats', (client) => client.publish(SEATS_CHANNEL, run.id));
        return outcome;
      },
    };
  }

  #fetcherOf(runId: RunId): Worker<InvitationData> {
    const known = this.#fetchers.get(runId);
    if (known !== undefined) return known;
    const fetcher = openFetcher<InvitationData>(this.#options.connection, runId, 'seats', FIRST_LOCK_MS);
    this.#fetchers.set(runId, fetcher);
    return fetcher;
  }

  async #closeFetchersExcept(wanted: ReadonlySet<RunId>): Promise<void> {
    for (const [runId, fetcher] of this.#fetchers) {
      if (wanted.has(runId)) continue;
      this.#fetchers.delete(runId);
      await fetcher.close();
    }
  }
}

/** A wait that ends early when somebody rings, also when they rang just before. */
class Bell {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Resolves after `timeoutMs`, at a ring, or when the signal aborts. */
  async wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          timer.cancel();
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = this.#clock.timer(timeoutMs, wake);
        signal.addEventListener('abort', wake, { once: true });
        this.#wake = wake;
      });
    }
    this.#rung = false;
    this.#wake = null;
  }
}
