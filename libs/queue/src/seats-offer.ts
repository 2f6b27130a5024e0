// The leader's side of the seats queue: as many waiting jobs as there are open seats. Who sits is decided at
// Hello; this only says how many are welcome, and an autoscaler reads it.
import type { RunId } from '@cria/runtime';
import type { Queue } from 'bullmq';
import { openQueue } from './bull.js';
import type { RedisConnection } from './connection.js';
import { queueKey, SEATS_CHANNEL } from './keys.js';
import type { LeaderAddress, Term } from './lease.js';
import { invitationId, invitationNumber, type InvitationData } from './seat-invitation.js';

export interface SeatsOfferOptions {
  readonly connection: RedisConnection;
  readonly runId: RunId;
  readonly runName: string;
  readonly term: Term;
  readonly at: LeaderAddress;
  /** How long a taken invitation stays good. */
  readonly seatMs: number;
}

export interface TakenInvitation {
  readonly jobId: string;
  /** Monotonic time of this process's clock, from Redis' own measure of the age. */
  readonly takenAtMs: number;
}

export type SetWaitingResult =
  | { readonly kind: 'set'; readonly added: number; readonly removed: number }
  /** A later leader offers seats: step down. Nothing was changed. */
  | { readonly kind: 'superseded' };

/** One leadership's offer of seats. */
export interface SeatsOffer {
  /**
   * Makes the number of waiting invitations `count`, all of this term; taken ones are not touched. Calling it
   * again costs one command, and after a FLUSHALL it restores the offer.
   */
  setWaiting(count: number): Promise<SetWaitingResult>;
  /** Invitations taken whose Hello was not reported yet (`seatMs` ago at most). */
  taken(): Promise<TakenInvitation[]>;
  /** Removes taken invitations older than seatMs: nobody answers to them any more. */
  dropExpired(): Promise<number>;
  waiting(): Promise<number>;
  close(): Promise<void>;
}

export function redisSeatsOffer(options: SeatsOfferOptions): SeatsOffer {
  return new RedisSeatsOffer(options);
}

class RedisSeatsOffer implements SeatsOffer {
  readonly #options: SeatsOfferOptions;
  readonly #queue: Queue<InvitationData>;
  readonly #data: InvitationData;
  /** One change at a time: two at once would both add what is missing. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: SeatsOfferOptions) {
    const { connection, runId, runName, term, at, seatMs } = options;
    this.#options = options;
    this.#queue = openQueue(connection, runId, 'seats');
    this.#data = { runName, number: term.number, leader: term.leader, ...at, seatMs };
  }

  setWaiting(count: number): Promise<SetWaitingResult> {
    const change = this.#changes.then(() => this.#setWaiting(count));
    this.#changes = change.catch(() => undefined);
    return change;
  }

  async taken(): Promise<TakenInvitation[]> {
    const { connection, seatMs } = this.#options;
    const nowMs = connection.clock.monotonicMs();
    return (await this.#active())
      .filter(({ lockMs }) => lockMs > 0)
      .map(({ jobId, lockMs }) => ({ jobId, takenAtMs: nowMs - Math.max(0, seatMs - lockMs) }));
  }

  async dropExpired(): Promise<number> {
    const expired = (await this.#active()).filter(({ lockMs }) => lockMs <= 0);
    return this.#remove(expired.map(({ jobId }) => jobId));
  }

  async waiting(): Promise<number> {
    return (await this.#waitingIds()).length;
  }

  async close(): Promise<void> {
    await this.#changes.catch(() => undefined);
    await this.#queue.close();
  }

  async #setWaiting(count: number): Promise<SetWaitingResult> {
    const { term } = this.#options;
    const ids = await this.#waitingIds();
    const numbers = ids.map((id) => invitationNumber(id) ?? -1);
    if (numbers.some((number) => number > term.number)) return { kind: 'superseded' };
    const ours = ids.filter((_, index) => numbers[index] === term.number);
    // Takers pop from the end of the list; from its beginning the removal seldom meets one.
    const surplus = ours.slice(0, Math.max(0, ours.length - count));
    const foreign = ids.filter((_, index) => numbers[index] !== term.number);
    const removed = await this.#remove([...foreign, ...surplus]);
    const added = Math.max(0, count - ours.length);
    await this.#add(added);
    return { kind: 'set', added, removed };
  }

  async #add(count: number): Promise<void> {
    if (count === 0) return;
    const { connection, runId, term } = this.#options;
    const jobs = Array.from({ length: count }, () => ({
      name: 'seat',
      data: this.#data,
      opts: { jobId: invitationId(term) },
    }));
    await connection.call('offering seats', () => this.#queue.addBulk(jobs));
    await connection.call('announcing seats', (client) => client.publish(SEATS_CHANNEL, runId));
  }

  /** Those that a worker took in the meantime are locked and stay. */
  async #remove(jobIds: readonly string[]): Promise<number> {
    if (jobIds.length === 0) return 0;
    const results = await this.#options.connection.call('withdrawing seats', () =>
      Promise.all(jobIds.map((jobId) => this.#queue.remove(jobId))),
    );
    return results.filter((result) => result === 1).length;
  }

  #waitingIds(): Promise<string[]> {
    const { connection, runId } = this.#options;
    return connection.call('counting seats', (c) => c.lrange(queueKey(runId, 'seats', 'wait'), 0, -1));
  }

  /** Taken invitations with the rest of their lock, 0 or less when it has run out. */
  async #active(): Promise<Array<{ jobId: string; lockMs: number }>> {
    const { connection, runId } = this.#options;
    return connection.call('reading taken seats', async (client) => {
      const ids = await client.lrange(queueKey(runId, 'seats', 'active'), 0, -1);
      const locks = await Promise.all(ids.map((id) => client.pttl(queueKey(runId, 'seats', `${id}:lock`))));
      return ids.map((jobId, index) => ({ jobId, lockMs: locks[index] ?? -1 }));
    });
  }
}
