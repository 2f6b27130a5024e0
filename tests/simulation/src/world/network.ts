// Links between hosts: each message takes a while, messages of different streams overtake each other, a partition
// (also in one direction only) holds everything back until it heals, as TCP does by sending again.
import type { Rng } from '@cria/runtime';
import { Future, type Task } from './future.js';
import type { SimProcess } from './process.js';
import type { World } from './world.js';

/** The other side is not there, or went away before it answered. */
export class ConnectionBroken extends Error {}

interface Partition {
  readonly from: string;
  readonly to: string;
  readonly untilMs: number;
}

export class Network {
  readonly #world: World;
  readonly #rng: Rng;
  #partitions: Partition[] = [];
  /** Hosts whose links are slow for a while, with the milliseconds that are added at most. */
  readonly #slow = new Map<string, { untilMs: number; addMs: number }>();

  constructor(world: World, rng: Rng) {
    this.#world = world;
    this.#rng = rng;
  }

  /** Nothing gets from host to host until then; `*` is every host. */
  partition(from: string, to: string, untilMs: number): void {
    this.#partitions.push({ from, to, untilMs });
  }

  slow(host: string, untilMs: number, addMs: number): void {
    this.#slow.set(host, { untilMs, addMs });
  }

  /** When the link works again; now or earlier when it works. */
  openAtMs(from: string, to: string): number {
    if (from === to) return 0;
    this.#partitions = this.#partitions.filter((one) => one.untilMs > this.#world.nowMs);
    let openMs = 0;
    for (const one of this.#partitions) {
      const matches = (one.from === '*' || one.from === from) && (one.to === '*' || one.to === to);
      if (matches) openMs = Math.max(openMs, one.untilMs);
    }
    return openMs;
  }

  delayMs(from: string, to: string): number {
    if (from === to) return 0.05 + 0.3 * this.#rng.next();
    let delayMs = 0.2 + this.#rng.exponential(0.8);
    if (this.#rng.below(50) === 0) delayMs += this.#rng.exponential(20);
    for (const host of [from, to]) {
      const slow = this.#slow.get(host);
      if (slow !== undefined && slow.untilMs > this.#world.nowMs) delayMs += slow.addMs * this.#rng.next();
    }
    return delayMs;
  }

  /** Runs `run` in `to` when something sent now from `from` arrives there. */
  carry(from: string, to: SimProcess, run: () => void): void {
    const arriveMs = this.#world.nowMs + this.delayMs(from, to.host);
    const attempt = (): void => {
      const openMs = this.openAtMs(from, to.host);
      if (openMs > this.#world.nowMs) {
        this.#world.at(openMs + this.delayMs(from, to.host), attempt);
        return;
      }
      to.arrive(0, run);
    };
    this.#world.at(arriveMs, attempt);
  }

  /**
   * A request and its answer. Rejects with ConnectionBroken when `to` is dead, or dies before its answer has left; a
   * partition only delays.
   */
  call<T>(from: SimProcess, to: SimProcess, handle: () => Task<T>): Future<T> {
    const future = new Future<T>();
    const back = (settle: () => void): void => this.carry(to.host, from, settle);
    const broken = (): void => back(() => future.reject(new ConnectionBroken(`${to.id} is gone`)));
    if (!to.alive) {
      broken();
      return future;
    }
    const offDeath = to.onDeath(broken);
    future.onSettled(() => offDeath());
    this.carry(from.host, to, () => {
      to.spawn(handle()).onSettled((outcome) => {
        offDeath();
        back(() => ('error' in outcome ? future.reject(outcome.error) : future.resolve(outcome.value)));
      });
    });
    return future;
  }
}

/** Messages in one direction, in order. They are gone when the receiver dies. */
export class Lane<M> {
  readonly #network: Network;
  readonly #world: World;
  readonly #from: string;
  readonly #to: SimProcess;
  readonly #take: (message: M) => void;
  readonly #queue: M[] = [];
  #lastMs = 0;

  constructor(world: World, ends: { from: string; to: SimProcess }, take: (message: M) => void) {
    this.#world = world;
    this.#network = world.network;
    this.#from = ends.from;
    this.#to = ends.to;
    this.#take = take;
  }

  send(message: M): void {
    this.#queue.push(message);
    const delayMs = this.#network.delayMs(this.#from, this.#to.host);
    this.#lastMs = Math.max(this.#lastMs, this.#world.nowMs + delayMs);
    this.#world.at(this.#lastMs, this.#pump);
  }

  /** What is under way is lost. */
  cut(): void {
    this.#queue.length = 0;
  }

  /** One message for each call; always the oldest, so that order is kept however late a call comes. */
  readonly #pump = (): void => {
    const openMs = this.#network.openAtMs(this.#from, this.#to.host);
    if (openMs > this.#world.nowMs) {
      this.#world.at(openMs + this.#network.delayMs(this.#from, this.#to.host), this.#pump);
      return;
    }
    this.#to.arrive(0, () => {
      const message = this.#queue.shift();
      if (message !== undefined) this.#take(message);
    });
  };
}
