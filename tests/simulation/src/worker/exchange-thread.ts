// The exchange thread as its worker calls it: calls arrive in order (libs/collective/src/thread/exchange-thread.ts).
import type { Cluster } from '../cluster.js';
import { Chain, wait, type Future, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { ExchangeNode } from './exchange-node.js';
import type { ExchangeEvent, ExchangeOrder, ExchangeOutcome } from './exchange-order.js';
import type { Memory } from './memory.js';
import type { PeerSource } from './peer.js';
import type { SlotResult } from './slot-registry.js';
import { ThreadPort } from './thread-port.js';

export interface ExchangeThreadOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly memory: Memory;
  onEvent(event: ExchangeEvent): void;
  onSettled(outcome: { value: unknown } | { error: unknown }): void;
}

export interface HeldGradient {
  readonly gradDigest: string;
  readonly sums: readonly number[];
}

export class ExchangeThread {
  readonly #options: ExchangeThreadOptions;
  readonly #port: ThreadPort;
  readonly #node: ExchangeNode;
  readonly #changes: Chain;

  constructor(options: ExchangeThreadOptions) {
    const { cluster, process, workerId, memory, onEvent } = options;
    this.#options = options;
    this.#port = new ThreadPort(process);
    this.#changes = new Chain(process);
    this.#node = new ExchangeNode({
      ...{ cluster, process, workerId, memory },
      shape: cluster.oracle.shape,
      emit: (event) => this.#port.back(() => onEvent(event)),
    });
  }

  /** What peers fetch from. */
  get source(): PeerSource {
    return this.#node.source;
  }

  /** Settled when everything that was said of the accumulator so far is through: an Exchange begins after it. */
  get changed(): Chain['last'] {
    return this.#changes.last;
  }

  endStreams(): void {
    this.#change(() => this.#node.endStreams());
  }

  beginAccumulator(step: number): void {
    this.endStreams();
    this.#change(() => done(() => this.#node.resetSlots(step)));
  }

  dropReduced(step: number): void {
    this.#change(() => done(() => this.#node.reduced.drop(step)));
  }

  begin(order: ExchangeOrder): Future<ExchangeOutcome> {
    return this.#port.call(() => this.#node.begin(order));
  }

  slotDone(step: number, result: SlotResult): Task {
    return this.#call(() => this.#node.slotDone(step, result));
  }

  /** The reduced gradient of a step, if it is here. */
  hold(step: number): Task<HeldGradient | null> {
    return this.#call(() => this.#node.reduced.hold(step));
  }

  /** Entries travel with what is said before and after them: nobody waits for the thread. */
  keepEntry(step: number, line: string): void {
    this.#node.ledger.append(step, line);
  }

  dropEntries(before: number): void {
    this.#node.ledger.dropBefore(before);
  }

  /** Kept stripes are copied before the state goes on. */
  secure(): Task {
    return this.#call(() => this.#node.keeper.secure());
  }

  preserve(step: number, parts: readonly number[]): Task {
    return this.#call(() => this.#node.keeper.preserve(step, parts));
  }

  #call<T>(act: () => T): Task<T> {
    const { process } = this.#options;
    return wait(
      process,
      this.#port.call(() => done(act)),
    );
  }

  #change(act: () => Task): void {
    const { process, onSettled } = this.#options;
    this.#changes.push(() => wait(process, this.#port.call(act))).onSettled((outcome) => onSettled(outcome));
  }
}

function* done<T>(act: () => T): Task<T> {
  return act();
}
