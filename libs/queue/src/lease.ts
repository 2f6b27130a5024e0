// The leader lease of one run: at most one coordinator holds it, for leaseMs at a time, and each holder has a
// number that no holder had before.
import { coordinatorId, present, type CoordinatorId, type RunId } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { leaseKey, termKey } from './keys.js';
import { ACQUIRE_LEASE, RAISE_TERM, RELEASE_LEASE, RENEW_LEASE } from './lua/lease.js';

/** (number, leader id) names one leadership for ever. */
export interface Term {
  readonly number: number;
  readonly leader: CoordinatorId;
}

export interface LeaderAddress {
  /** HOST:PORT of the leader's control service. */
  readonly address: string;
  /** HOST:PORT of every coordinator, the leader's included. */
  readonly coordinators: readonly string[];
}

export interface LeaseHolder extends Term, LeaderAddress {}

export type AcquireResult =
  /** `sentAtMs`: monotonic time at which the request left; the lease is safe to use leaseMs from then on. */
  | { readonly kind: 'acquired'; readonly term: Term; readonly sentAtMs: number }
  | { readonly kind: 'held'; readonly holder: LeaseHolder };

export interface LeaseLost {
  readonly kind: 'lost';
  readonly holder: LeaseHolder | null;
}

export type RenewResult = { readonly kind: 'renewed'; readonly sentAtMs: number } | LeaseLost;
export type ReleaseResult = { readonly kind: 'released' } | LeaseLost;
export type RaiseResult = { readonly kind: 'held'; readonly number: number } | LeaseLost;

/** Requests may be repeated unchanged after REDIS_UNAVAILABLE or DEADLINE_EXCEEDED. */
export interface Lease {
  /** Takes the lease if nobody else has it; every success has a new number. */
  acquire(leader: CoordinatorId, at: LeaderAddress, leaseMs: number): Promise<AcquireResult>;
  /** Extends it to leaseMs from now if it is still this term's. */
  renew(term: Term, at: LeaderAddress, leaseMs: number): Promise<RenewResult>;
  /** Ends it at once, so that a standby need not wait for it to expire. */
  release(term: Term): Promise<ReleaseResult>;
  /** Makes the term's number larger than `atLeast` (the largest that workers, entries or manifests name). */
  raiseTerm(term: Term, atLeast: number): Promise<RaiseResult>;
  /** Who holds it now. */
  read(): Promise<LeaseHolder | null>;
}

export function redisLease(connection: RedisConnection, runId: RunId): Lease {
  return new RedisLease(connection, runId);
}

/** number, leader, address, coordinators as the scripts return them. */
export type HolderReply = readonly [string | null, string | null, string | null, string | null];

class RedisLease implements Lease {
  readonly #connection: RedisConnection;
  readonly #leaseKey: string;
  readonly #termKey: string;

  constructor(connection: RedisConnection, runId: RunId) {
    this.#connection = connection;
    this.#leaseKey = leaseKey(runId);
    this.#termKey = termKey(runId);
  }

  async acquire(leader: CoordinatorId, at: LeaderAddress, leaseMs: number): Promise<AcquireResult> {
    const sentAtMs = this.#connection.clock.monotonicMs();
    const args = [leader, at.address, JSON.stringify(at.coordinators), leaseMs];
    const reply = await this.#connection.run(ACQUIRE_LEASE, [this.#leaseKey, this.#termKey], args);
    const [kind, value] = reply as ['acquired', number] | ['held', HolderReply];
    if (kind === 'acquired') return { kind, term: { number: value, leader }, sentAtMs };
    return { kind, holder: present(parseHolder(value), 'the holder of a lease that is held') };
  }

  async renew(term: Term, at: LeaderAddress, leaseMs: number): Promise<RenewResult> {
    const sentAtMs = this.#connection.clock.monotonicMs();
    const args = [term.number, term.leader, leaseMs, at.address, JSON.stringify(at.coordinators)];
    const reply = await this.#connection.run(RENEW_LEASE, [this.#leaseKey], args);
    const [kind, held] = reply as ['renewed'] | ['lost', HolderReply];
    return kind === 'renewed' ? { kind, sentAtMs } : { kind, holder: parseHolder(held) };
  }

  async release(term: Term): Promise<ReleaseResult> {
    const args = [term.number, term.leader];
    const reply = await this.#connection.run(RELEASE_LEASE, [this.#leaseKey], args);
    const [kind, held] = reply as ['released'] | ['lost', HolderReply];
    return kind === 'released' ? { kind } : { kind, holder: parseHolder(held) };
  }

  async raiseTerm(term: Term, atLeast: number): Promise<RaiseResult> {
    const args = [term.number, term.leader, atLeast];
    const reply = await this.#connection.run(RAISE_TERM, [this.#leaseKey, this.#termKey], args);
    const [kind, value] = reply as ['held', number] | ['lost', HolderReply];
    return kind === 'held' ? { kind, number: value } : { kind, holder: parseHolder(value) };
  }

  async read(): Promise<LeaseHolder | null> {
    const held = await this.#connection.call('reading the lease', (client) =>
      client.hmget(this.#leaseKey, 'number', 'leader', 'address', 'coordinators'),
    );
    return parseHolder(held as unknown as HolderReply);
  }
}

/** Null when nobody holds the lease. */
export function parseHolder([number, leader, address, coordinators]: HolderReply): LeaseHolder | null {
  if (number === null || leader === null) return null;
  return {
    number: Number(number),
    leader: coordinatorId(leader),
    address: address ?? '',
    coordinators: JSON.parse(coordinators ?? '[]') as string[],
  };
}
