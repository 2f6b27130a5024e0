// One coordinator process: leads whenever it gets the lease (apps/coordinator/src/coordinator.ts).
import type { Desired } from '@cria/coordinator/decide/leader-state';
import type { LedgerCopy } from '@cria/ledger';
import type { Cluster } from '../cluster.js';
import { RedisUnavailable } from '../stores/fake-redis.js';
import type { LeaseHolder, SimTerm } from '../stores/redis-data.js';
import { PeerSource, type PeerAnswer, type PeerRequest } from '../worker/peer.js';
import { sleep, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { ViolationFound } from '../world/violation.js';
import { ControlServer } from './control-server.js';
import type { Leadership, LeadershipEnd } from './leadership.js';
import { LeaseKeeper } from './lease-keeper.js';
import { LeaseLost, takeOver } from './take-over.js';

const RETRY_MS = 300;
const DESIRED_POLL_MS = 1000;

export class Coordinator {
  readonly #cluster: Cluster;
  readonly #process: SimProcess;
  readonly #address: string;
  readonly #control: ControlServer;
  #leadership: Leadership | null = null;
  #holder: LeaseHolder | null = null;
  #ledNumber = 0;
  #isLeaving = false;
  #wanted: Desired;

  constructor(cluster: Cluster, process: SimProcess, address: string) {
    this.#cluster = cluster;
    this.#process = process;
    this.#address = address;
    this.#wanted = { revision: 1, target: cluster.initialTarget, paused: false, stop: false };
    this.#control = new ControlServer(process, () =>
      this.#leadership === null ? (this.#holder?.address ?? '') : this.#address,
    );
  }

  get leads(): boolean {
    return this.#leadership !== null;
  }

  start(): void {
    const { coordinators, peers, redis } = this.#cluster;
    const process = this.#process;
    coordinators.set(this.#address, { process, serves: this.#control });
    peers.set(this.#peerAddress, {
      process,
      serves: new PeerSource(process, (request) => this.#statePart(request)),
    });
    process.onDeath(() => peers.delete(this.#peerAddress));
    redis.subscribe(process, (what) => {
      if (what === 'desired') process.run(this.#readDesired());
    });
    process.run(this.#pollDesired());
    process.run(this.#standBy());
  }

  /** SIGTERM: gives the lease back and ends. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#leadership === null) this.#process.kill();
    else this.#leadership.stepDown('this coordinator leaves', 0);
  }

  get #peerAddress(): string {
    return `store:${this.#process.id}`;
  }

  *#standBy(): Task {
    let termAtLeast = 0;
    let copies: readonly LedgerCopy[] = [];
    for (;;) {
      const { term, sentAtMs } = yield* this.#acquire();
      const end = yield* this.#lead(term, sentAtMs, { termAtLeast, copies });
      this.#process.log(() => `leadership over: ${JSON.stringify(end)}`);
      if (end.kind === 'ended') return this.#cluster.onEnded(end.ending, end.reason);
      if (this.#isLeaving) return this.#process.kill();
      if (end.kind === 'failed') return this.#cluster.world.crashed(this.#process.id, end.error);
      // One process never leads twice with one number, whatever Redis has forgotten.
      copies = end.copies;
      termAtLeast = Math.max(termAtLeast, end.termAtLeast, this.#ledNumber + 1);
      yield* sleep(this.#process, RETRY_MS);
    }
  }

  *#acquire(): Task<{ term: SimTerm; sentAtMs: number }> {
    const { redis, timeouts, world } = this.#cluster;
    const { leaseMs } = timeouts;
    const process = this.#process;
    for (;;) {
      const sentAtMs = world.nowMs;
      try {
        const acquire = redis.call(process, 'acquire', (data, nowMs) =>
          data.acquire(nowMs, process.id, { address: this.#address, leaseMs }),
        );
        const result = yield* wait(process, acquire);
        if (!('address' in result)) return { term: result, sentAtMs };
        this.#holder = result;
      } catch (error) {
        if (!(error instanceof RedisUnavailable)) throw error;
      }
      yield* sleep(process, Math.max(RETRY_MS, leaseMs / 6));
    }
  }

  *#lead(
    term: SimTerm,
    sentAtMs: number,
    known: { readonly termAtLeast: number; readonly copies: readonly LedgerCopy[] },
  ): Task<LeadershipEnd> {
    const cluster = this.#cluster;
    const process = this.#process;
    let lost: string | null = null;
    const onLost = (why: string): void => {
      lost = why;
      this.#leadership?.stepDown(why, 0);
    };
    const lease = new LeaseKeeper({ cluster, process, term, sentAtMs, onLost });
    lease.start();
    try {
      const leadership = yield* takeOver({
        ...{ cluster, process, lease, control: this.#control, peerAddress: this.#peerAddress },
        ...known,
        wanted: this.#wanted,
      });
      this.#leadership = leadership;
      this.#ledNumber = leadership.term.number;
      cluster.world.mark('leads', process.id);
      if (lost !== null) leadership.stepDown(lost, 0);
      return yield* leadership.run();
    } catch (error) {
      if (error instanceof ViolationFound) throw error;
      const isRetried = error instanceof RedisUnavailable || error instanceof LeaseLost;
      if (!isRetried) return { kind: 'failed', error };
      return { kind: 'stepped-down', why: String(error), termAtLeast: 0, copies: known.copies };
    } finally {
      this.#leadership = null;
      yield* lease.release();
    }
  }

  *#pollDesired(): Task {
    for (;;) {
      yield* this.#readDesired();
      yield* sleep(this.#process, DESIRED_POLL_MS);
    }
  }

  *#readDesired(): Task {
    try {
      const { redis } = this.#cluster;
      const desired = yield* wait(
        this.#process,
        redis.call(this.#process, 'desired', (data) => data.desired),
      );
      if (desired === null || desired.revision < this.#wanted.revision) return;
      this.#wanted = desired;
      this.#leadership?.wish(desired);
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
    }
  }

  /** A coordinator serves the bytes of checkpoints. */
  #statePart(request: PeerRequest): PeerAnswer {
    const value = this.#cluster.durable.at(request.step)?.parts[request.part];
    if (value === undefined)
      return { kind: 'refused', reason: `there is no checkpoint of step ${request.step}` };
    return {
      kind: 'part',
      value,
      counts: [],
      losses: [],
      digests: [],
      digest: value,
      position: request.step,
      slots: [],
    };
  }
}
