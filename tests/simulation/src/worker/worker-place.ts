// A worker's place under `cria up`: takes seats and serves the run; whatever process fills the place, a dead one is
// replaced after a while (apps/worker/src/main.ts, apps/cli/src/decide/supervise.ts).
import type { Cluster } from '../cluster.js';
import { RedisUnavailable } from '../stores/fake-redis.js';
import type { RedisData } from '../stores/redis-data.js';
import { Change, sleep, wait, waitAtMost, type Future, type Task } from '../world/future.js';
import { SimProcess } from '../world/process.js';
import type { Damage } from '../faults/fault.js';
import { WorkerSession } from './session.js';

interface Seat {
  readonly id: string;
  readonly addresses: readonly string[];
}

const SEAT_POLL_MS = 1000;

export class WorkerPlace {
  readonly name: string;
  readonly #cluster: Cluster;
  readonly #slotMs: number;
  #process: SimProcess;
  #session: WorkerSession | null = null;
  #isLeaving = false;
  #flips = 0;

  constructor(cluster: Cluster, name: string, slotMs: number) {
    this.#cluster = cluster;
    this.name = name;
    this.#slotMs = slotMs;
    this.#process = new SimProcess(cluster.world, name, name);
  }

  get process(): SimProcess {
    return this.#process;
  }

  start(): void {
    const { world } = this.#cluster;
    const process = new SimProcess(world, this.name, this.name);
    this.#process = process;
    this.#session = null;
    this.#isLeaving = false;
    process.onDeath(() => {
      world.log(this.name, () => 'dies');
      world.at(world.nowMs + world.between(30, 1200), () => this.start());
    });
    process.run(this.#takeSeats(process));
  }

  /** SIGTERM. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#session === null) this.#process.kill();
    else this.#session.leave('told to end');
  }

  /** A bit turns over in memory, or the machine computes wrongly once. */
  flip(where: Damage, part: number): void {
    const session = this.#session;
    const state = session?.memory.parts[part];
    if (session === null || state === undefined || !this.#process.alive) return;
    this.#process.log(() => `damage: ${where}, part ${part} at ${state.position}`);
    this.#cluster.invariants.flipped();
    // Another bit each time: the same one twice would be whole again, and nobody could tell what was computed between.
    const bit = 1 << (4 + (this.#flips++ % 16));
    if (where === 'state') state.value = (state.value ^ bit) >>> 0;
    else if (where === 'accumulator') session.memory.flipAccumulator(part, bit);
    else session.slip(where);
  }

  *#takeSeats(process: SimProcess): Task {
    const { world } = this.#cluster;
    while (!this.#isLeaving) {
      const seat = yield* this.#takeSeat(process);
      yield* sleep(process, world.between(5, 80));
      const workerId = world.name('worker');
      process.log(() => `is ${workerId} with seat ${seat.id}`);
      const session = new WorkerSession({
        ...{ cluster: this.#cluster, process, workerId, slotMs: this.#slotMs },
        seat: seat.id,
        addresses: seat.addresses,
        welcomed: () => void this.#redis(process, (data) => data.active.delete(seat.id)),
      });
      this.#session = session;
      const end = yield* session.run();
      this.#session = null;
      process.log(() => `${workerId} left: ${end.why}`);
      yield* sleep(process, world.between(5, 50));
    }
    process.kill();
  }

  *#takeSeat(process: SimProcess): Task<Seat> {
    const { redis, rules, coordinatorAddresses } = this.#cluster;
    const bell = new Change();
    const unsubscribe = redis.subscribe(process, (what) => {
      if (what === 'seats') bell.notify();
    });
    try {
      for (;;) {
        const rung = bell.next();
        try {
          const taken = yield* wait(
            process,
            this.#redis(process, (data, nowMs) => {
              const holder = data.holder(nowMs);
              const id = holder === null ? undefined : data.waiting.pop();
              if (holder === null || id === undefined) return null;
              data.active.set(id, nowMs + rules.seatMs);
              return { id, address: holder.address };
            }),
          );
          if (taken !== null) return { id: taken.id, addresses: [taken.address, ...coordinatorAddresses] };
        } catch (error) {
          if (!(error instanceof RedisUnavailable)) throw error;
        }
        yield* waitAtMost(process, rung, SEAT_POLL_MS);
      }
    } finally {
      unsubscribe();
    }
  }

  #redis<T>(process: SimProcess, act: (data: RedisData, nowMs: number) => T): Future<T> {
    return this.#cluster.redis.call(process, 'seats', act);
  }
}
