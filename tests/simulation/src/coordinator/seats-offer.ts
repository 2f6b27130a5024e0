// The seats that a leader offers, as they lie in Redis (libs/queue/src/seats). Queues are bookkeeping: errors are
// repaired by the next round.
import type { Cluster } from '../cluster.js';
import { Chain, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';

export interface SeatsOfferOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly termNumber: number;
  isOver(): boolean;
  onTaken(seats: readonly string[]): void;
  onSuperseded(): void;
}

export class SeatsOffer {
  readonly #options: SeatsOfferOptions;
  readonly #chain: Chain;

  constructor(options: SeatsOfferOptions) {
    this.#options = options;
    this.#chain = new Chain(options.process);
  }

  /** Settled when everything asked for so far is through. */
  get idle(): Chain['last'] {
    return this.#chain.last;
  }

  offer(waiting: number): void {
    this.#inTurn(() => this.#setWaiting(waiting));
  }

  /** Tells of invitations that were taken and repeats the offer, should Redis have lost it. */
  poll(waitingNow: () => number): void {
    this.#inTurn(() => this.#poll(waitingNow));
  }

  *#poll(waitingNow: () => number): Task {
    const { cluster, process, onTaken } = this.#options;
    const read = cluster.redis.call(process, 'seats', (data, nowMs) => {
      for (const [id, untilMs] of data.active) if (untilMs <= nowMs) data.active.delete(id);
      return [...data.active.keys()];
    });
    const taken = yield* wait(process, read);
    if (taken.length > 0) onTaken(taken);
    const waiting = waitingNow();
    if (waiting >= 0) yield* this.#setWaiting(waiting);
  }

  *#setWaiting(count: number): Task {
    const { cluster, process, termNumber, onSuperseded } = this.#options;
    const { redis, world } = cluster;
    const change = redis.call(process, 'seats', (data) => {
      const numbers = data.waiting.map((id) => Number(id.split('/')[0]));
      if (numbers.some((other) => other > termNumber)) return 'superseded';
      const ours = data.waiting.filter((_, i) => numbers[i] === termNumber).slice(0, count);
      while (ours.length < count) ours.push(`${termNumber}/${world.name('seat')}`);
      data.waiting = ours;
      return 'set';
    });
    if ((yield* wait(process, change)) === 'superseded') onSuperseded();
    else redis.publish('seats');
  }

  #inTurn(act: () => Task): void {
    void this.#chain.push(() => (this.#options.isOver() ? nothing() : act()));
  }
}

function* nothing(): Task {
  // There is nothing to do any more.
}
