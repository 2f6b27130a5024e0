// The Redis server as a process: it answers after a while, dies, and comes back with everything, with an older dump,
// or with nothing.
import { Future, sleep } from '../world/future.js';
import { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';
import { RedisData, type RedisMutants } from './redis-data.js';

/** The command may or may not have happened; try again. */
export class RedisUnavailable extends Error {}

/** How Redis comes back after it died. */
export type Comeback = 'all' | 'empty' | 'dump';

const COMMAND_MS = 500;
const DUMP_EVERY_MS = 1500;
const HOST = 'redis';

export class FakeRedis {
  readonly #world: World;
  readonly #mutants: RedisMutants;
  #process: SimProcess;
  #data: RedisData;
  #dump: RedisData;
  readonly #watchers = new Set<(what: 'desired' | 'seats') => void>();

  constructor(world: World, mutants: RedisMutants) {
    this.#world = world;
    this.#mutants = mutants;
    this.#data = new RedisData(mutants);
    this.#dump = this.#data.copy();
    this.#process = new SimProcess(world, 'redis', HOST);
    this.#saveNowAndThen();
  }

  get process(): SimProcess {
    return this.#process;
  }

  /** For invariants only: what is in it. */
  get data(): RedisData {
    return this.#data;
  }

  /** Runs a command as `from`'s client does: with a deadline, after which nobody knows whether it happened. */
  call<T>(from: SimProcess, what: string, act: (data: RedisData, nowMs: number) => T): Future<T> {
    const result = new Future<T>();
    const deadline = from.after(COMMAND_MS, () => result.reject(new RedisUnavailable(`${what}: no answer`)));
    const { network } = this.#world;
    if (!this.#process.alive) return result;
    const answer = network.call(
      from,
      this.#process,
      function* (this: FakeRedis) {
        yield* sleep(this.#process, 0);
        return act(this.#data, this.#world.nowMs);
      }.bind(this),
    );
    answer.onSettled((outcome) => {
      deadline.cancel();
      if ('error' in outcome) result.reject(new RedisUnavailable(`${what}: ${String(outcome.error)}`));
      else result.resolve(outcome.value);
    });
    return result;
  }

  /** Pub/sub: `process` hears of changes, unless Redis or the link is away. @returns a function that ends it */
  subscribe(process: SimProcess, onMessage: (what: 'desired' | 'seats') => void): () => void {
    const watcher = (what: 'desired' | 'seats'): void => {
      if (!process.alive) return void this.#watchers.delete(watcher);
      this.#world.network.carry(HOST, process, () => onMessage(what));
    };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  publish(what: 'desired' | 'seats'): void {
    for (const watcher of [...this.#watchers]) watcher(what);
  }

  die(comeback: Comeback, afterMs: number): void {
    if (!this.#process.alive) return;
    this.#process.kill();
    this.#world.log('redis', () => `dies, comes back with ${comeback} in ${afterMs.toFixed(0)} ms`);
    this.#world.at(this.#world.nowMs + afterMs, () => {
      if (comeback === 'empty') this.#data = new RedisData(this.#mutants);
      else if (comeback === 'dump') this.#data = this.#dump.copy();
      this.#process = new SimProcess(this.#world, 'redis', HOST);
      this.#saveNowAndThen();
    });
  }

  #saveNowAndThen(): void {
    this.#process.after(DUMP_EVERY_MS, () => {
      this.#dump = this.#data.copy();
      this.#saveNowAndThen();
    });
  }
}
