// Keeps a lease that was acquired, and knows at every moment whether it may still be relied on. The answer comes
// from the clock, not from a timer: a process that was stopped finds its lease gone the moment it goes on.
import { assert, sleep, type Clock, type Log, type Timer } from '@cria/runtime';
import { isRetryable } from './connection.js';
import type { AcquireResult, LeaderAddress, Lease, LeaseHolder, RaiseResult, Term } from './lease.js';

export type LeaseLoss =
  /** Redis says that the lease is another's, or nobody's. */
  | { readonly reason: 'refused'; readonly holder: LeaseHolder | null }
  /** No renewal succeeded in time. */
  | { readonly reason: 'expired' };

export interface LeaseKeeperOptions {
  readonly lease: Lease;
  readonly clock: Clock;
  readonly log: Log;
  readonly leaseMs: number;
  /** How much earlier than Redis we give up: clocks do not run at one speed. */
  readonly skewMs: number;
  /** What the next renewal writes down. */
  readonly at: () => LeaderAddress;
  /** Called once, at the latest leaseMs - skewMs after the last successful renewal was sent. */
  readonly onLost: (loss: LeaseLoss) => void;
}

/** A failed renewal is repeated this often within the time that is left to it. */
const RETRIES_PER_INTERVAL = 4;

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #term: Term;
  /** When the last successful renewal was sent, monotonic. */
  #sentAtMs: number;
  #ended = false;
  #renewal: Timer | null = null;
  #deadline: Timer | null = null;
  /** One request at a time: a renewal beside a raise would carry the number of before. */
  #requests: Promise<unknown> = Promise.resolve();

  /** @param acquired from `lease.acquire`; the lease counts from when that request was sent */
  constructor(acquired: Extract<AcquireResult, { kind: 'acquired' }>, options: LeaseKeeperOptions) {
    assert(options.skewMs < options.leaseMs, 'a lease is longer than the skew of clocks');
    this.#options = options;
    this.#term = acquired.term;
    this.#sentAtMs = acquired.sentAtMs;
  }

  /** Starts renewing, every third of the lease. */
  start(): void {
    this.#armDeadline();
    this.#scheduleRenewal(this.#intervalMs);
  }

  get term(): Term {
    return this.#term;
  }

  /** Whether we may act as leader at this very moment. */
  isHeld(): boolean {
    return !this.#ended && this.remainingMs() > 0;
  }

  /** How long the lease may be relied on if no further renewal succeeds. */
  remainingMs(): number {
    const { clock, leaseMs, skewMs } = this.#options;
    return Math.max(0, this.#sentAtMs + leaseMs - skewMs - clock.monotonicMs());
  }

  /** `lease.raiseTerm` between two renewals; `term` has the new number afterwards. */
  raiseTerm(atLeast: number): Promise<RaiseResult> {
    return this.#inTurn(async () => {
      const result = await this.#raise(atLeast);
      if (result.kind === 'held') this.#term = { ...this.#term, number: result.number };
      else this.#lose({ reason: 'refused', holder: result.holder });
      return result;
    });
  }

  /** Until it is known what happened: a renewal with the old number after a lost reply would be refused. */
  async #raise(atLeast: number): Promise<RaiseResult> {
    const { lease, clock } = this.#options;
    for (;;) {
      if (!this.isHeld()) return { kind: 'lost', holder: null };
      try {
        return await lease.raiseTerm(this.#term, atLeast);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        await sleep(clock, this.#intervalMs / RETRIES_PER_INTERVAL);
      }
    }
  }

  /** Renews now, to make a change of `at` known. */
  renewNow(): Promise<void> {
    return this.#inTurn(() => this.#renew());
  }

  /** Stops renewing; the lease runs out by itself and `onLost` is not called. */
  stop(): void {
    this.#end();
  }

  /** Stops renewing and gives the lease back, so that a standby can take it at once. */
  async release(): Promise<void> {
    this.#end();
    await this.#requests.catch(() => undefined);
    const { lease, log } = this.#options;
    await lease.release(this.#term).catch((error: unknown) => {
      log.debug({ error: String(error) }, 'the lease could not be given back, it will expire');
    });
  }

  get #intervalMs(): number {
    return this.#options.leaseMs / 3;
  }

  #scheduleRenewal(delayMs: number): void {
    if (this.#ended) return;
    this.#renewal?.cancel();
    this.#renewal = this.#options.clock.timer(delayMs, () => void this.renewNow());
  }

  async #renew(): Promise<void> {
    if (this.#ended) return;
    const { lease, at, leaseMs, log } = this.#options;
    try {
      const result = await lease.renew(this.#term, at(), leaseMs);
      if (this.#ended) return;
      if (result.kind === 'lost') return this.#lose({ reason: 'refused', holder: result.holder });
      this.#sentAtMs = Math.max(this.#sentAtMs, result.sentAtMs);
      this.#armDeadline();
      this.#scheduleRenewal(this.#intervalMs);
    } catch (error) {
      log.warn({ error: String(error), remainingMs: this.remainingMs() }, 'the lease was not renewed');
      this.#scheduleRenewal(this.#intervalMs / RETRIES_PER_INTERVAL);
    }
  }

  #armDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = this.#options.clock.timer(this.remainingMs(), () => {
      if (this.remainingMs() > 0) this.#armDeadline();
      else this.#lose({ reason: 'expired' });
    });
  }

  #lose(loss: LeaseLoss): void {
    if (this.#ended) return;
    this.#end();
    this.#options.onLost(loss);
  }

  #end(): void {
    this.#ended = true;
    this.#renewal?.cancel();
    this.#deadline?.cancel();
  }

  #inTurn<T>(request: () => Promise<T>): Promise<T> {
    const turn = this.#requests.then(request, request);
    this.#requests = turn.catch(() => undefined);
    return turn;
  }
}
