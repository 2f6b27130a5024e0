// A worker's exchange thread: what it serves, and the Exchange under way (libs/collective/src/exchange/exchange-node.ts,
// node-source.ts). Methods run in the thread; ThreadPort carries calls there and back.
import { StepTail } from '@cria/runtime';
import type { Cluster } from '../cluster.js';
import type { Shape } from '../model/mathematics.js';
import type { Future } from '../world/future.js';
import { Abort, Chain, sleep, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import {
  isNewer,
  isSameExchange,
  type ExchangeEvent,
  type ExchangeOrder,
  type ExchangeOutcome,
} from './exchange-order.js';
import { ExchangeRun } from './exchange-run.js';
import type { Memory } from './memory.js';
import { PeerSource, type PeerAnswer, type PeerRequest } from './peer.js';
import { ReducedStore } from './reduced-store.js';
import { SlotRegistry, type SlotResult } from './slot-registry.js';
import { StateKeeper } from './state-keeper.js';

interface Current {
  readonly order: ExchangeOrder;
  readonly abort: Abort;
  readonly outcome: Future<ExchangeOutcome>;
  servesAccumulator: boolean;
}

export interface ExchangeNodeOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly shape: Shape;
  readonly memory: Memory;
  readonly emit: (event: ExchangeEvent) => void;
}

/** An order that comes after a newer one. */
export class TermStale extends Error {}

export class ExchangeNode {
  readonly source: PeerSource;
  readonly registry: SlotRegistry;
  readonly reduced = new ReducedStore();
  readonly keeper: StateKeeper;
  readonly ledger = new StepTail<string>();
  readonly #options: ExchangeNodeOptions;
  readonly #turns: Chain;
  #current: Current | null = null;

  constructor(options: ExchangeNodeOptions) {
    const { process, shape, memory, emit } = options;
    this.#options = options;
    this.#turns = new Chain(process);
    this.registry = new SlotRegistry(shape);
    this.keeper = new StateKeeper(memory, (position) => emit({ kind: 'stripe-pulled', position }));
    this.source = new PeerSource(process, (request) => this.#answer(request));
  }

  resetSlots(step: number): void {
    this.registry.reset(step);
    this.source.change.notify();
  }

  slotDone(step: number, result: SlotResult): void {
    this.registry.slotDone(step, result);
    this.source.change.notify();
  }

  *begin(order: ExchangeOrder): Task<ExchangeOutcome> {
    const { process } = this.#options;
    const current = yield* wait(
      process,
      this.#turns.push(() => this.#install(order)),
    );
    return yield* wait(process, current.outcome);
  }

  *endStreams(): Task {
    if (this.#options.cluster.mutants.streamsGoOn === true) return;
    yield* wait(
      this.#options.process,
      this.#turns.push(() => this.#closeAccumulator('the accumulator changes')),
    );
  }

  *#install(order: ExchangeOrder): Task<Current> {
    const current = this.#current;
    if (current !== null) {
      // Ended by `endStreams` and ordered again, unchanged: a listener begins anew.
      const isOver = current.abort.aborted && order.shadow;
      const isSame = isSameExchange(order, current.order);
      if (isSame && !isOver) return current;
      if (!isSame && !isNewer(order, current.order))
        throw new TermStale(`attempt ${order.attempt} came late`);
    }
    yield* this.#closeAccumulator(`attempt ${order.attempt} of term ${order.term.number} began`);
    if (order.isVoid) this.reduced.drop(order.step);
    const { process } = this.#options;
    const abort = new Abort();
    const carryOut = (): Task<ExchangeOutcome> => this.#carryOut(order, abort);
    const outcome = process.spawn(
      (function* (): Task<ExchangeOutcome> {
        yield* sleep(process, 0);
        return yield* carryOut();
      })(),
    );
    this.#current = { order, abort, servesAccumulator: true, outcome };
    this.source.change.notify();
    return this.#current;
  }

  *#carryOut(order: ExchangeOrder, abort: Abort): Task<ExchangeOutcome> {
    const prepared = this.reduced.prepared(order.step);
    if (prepared !== null) return { kind: 'prepared', sum: prepared };
    const fault = this.#faultOf(order);
    if (fault !== null) return { kind: 'blocked', why: fault };
    const { registry, reduced, source } = this;
    const outcome = yield* new ExchangeRun(
      { ...this.#options, registry, reduced, source },
      order,
      abort,
    ).run();
    if (outcome.kind === 'prepared') this.reduced.finish(outcome.sum);
    return outcome;
  }

  #faultOf(order: ExchangeOrder): string | null {
    const { shape, workerId, emit } = this.#options;
    const { term, attempt, step } = order;
    const counts = new Array<number>(shape.slots).fill(0);
    for (const set of order.sets) for (const slot of set.slots) counts[slot] = (counts[slot] ?? 0) + 1;
    const slots = counts.flatMap((count, slot) => (count === 1 ? [] : [slot]));
    if (slots.length > 0 && order.from.length === 0) {
      const why = `the sets name slots ${slots.join(', ')} twice or not at all`;
      emit({ kind: 'blocked', term, attempt, peer: '', slots, part: 0, why });
      return why;
    }
    const own = order.sets.find(({ worker }) => worker === workerId);
    if (own === undefined || order.shadow || order.from.length > 0 || this.registry.step !== step)
      return null;
    const foreign = this.registry.foreign(own.slots);
    if (foreign.length === 0 || this.#options.cluster.mutants.noKeepRule === true) return null;
    emit({ kind: 'wrong-set', term, attempt });
    return `the accumulator holds slots ${foreign.join(', ')} that are not in its set`;
  }

  *#closeAccumulator(why: string): Task {
    if (this.#current !== null) {
      this.#current.servesAccumulator = false;
      this.#current.abort.abort(why);
      this.source.change.notify();
    }
    yield* this.source.endStreams((request) => request.content === 'acc', why);
  }

  #answer(request: PeerRequest): PeerAnswer {
    const { workerId } = this.#options;
    if (request.to !== workerId) return { kind: 'refused', reason: `this is ${workerId}, not ${request.to}` };
    if (request.content === 'state') return this.#statePart(request);
    if (request.content === 'ledger') return this.#staleTerm(request) ?? this.#ledgerPart(request.part);
    const current = this.#current;
    if (current === null || isNewer(request, current.order)) {
      return { kind: 'not-yet', reason: 'that attempt is not known here yet' };
    }
    const isNewest = isSameExchange(request, current.order) && request.step === current.order.step;
    if (request.content === 'reduced') {
      // A sum is the same in every attempt since the last void one.
      const part = this.reduced.get(request.step, request.part);
      return part ?? (isNewest ? { kind: 'wait' } : { kind: 'stale', reason: 'that sum is gone' });
    }
    if (!isNewest) return { kind: 'stale', reason: 'a newer exchange is under way' };
    return this.#accumulatorPart(current, request.part);
  }

  #statePart(request: PeerRequest): PeerAnswer {
    return this.#staleTerm(request) ?? this.keeper.answer(request.part, request.step);
  }

  #ledgerPart(from: number): PeerAnswer {
    const lines = this.ledger.from(from);
    if (lines === null) return { kind: 'refused', reason: `lines begin at step ${this.ledger.first} here` };
    const none = { value: 0, counts: [], losses: [], digests: [], digest: 0, slots: [] };
    return { kind: 'part', ...none, position: this.ledger.end, lines };
  }

  #staleTerm({ term }: PeerRequest): PeerAnswer | null {
    const known = this.#current?.order.term;
    if (known === undefined || term.number >= known.number) return null;
    return { kind: 'stale', reason: `term ${term.number} is over` };
  }

  #accumulatorPart({ order, servesAccumulator }: Current, part: number): PeerAnswer {
    const { workerId, shape, memory } = this.#options;
    const set = order.sets.find(({ worker }) => worker === workerId)?.slots;
    if (set === undefined || order.shadow) return { kind: 'refused', reason: 'there is no such part here' };
    if (!servesAccumulator) return { kind: 'stale', reason: 'the accumulator has changed since' };
    const foreign = this.registry.step === order.step ? this.registry.foreign(set) : [];
    const { mutants } = this.#options.cluster;
    const isChecked = mutants.streamsGoOn !== true && mutants.noKeepRule !== true;
    if (foreign.length > 0 && isChecked)
      return { kind: 'stale', reason: 'slots are in it that are not in its set' };
    if (!this.registry.isReady(order.step, set)) return { kind: 'wait' };
    const common = { kind: 'part', position: order.step, slots: set } as const;
    if (part === shape.numParts) return { ...common, ...this.registry.report(set), value: 0, digest: 0 };
    const { value, counts } = set.length === 0 ? { value: 0, counts: [] } : memory.accumulated(part);
    return { ...common, value, counts, losses: [], digests: [], digest: this.registry.partDigest(set, part) };
  }
}
