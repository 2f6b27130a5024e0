// One process's side of all exchanges: its server, its client, and the Exchange under way. Runs in the exchange
// thread (thread/), and without one in tests.
import { setMaxListeners } from 'node:events';
import { Content } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import { partCount } from '@cria/kernels';
import type { Clock } from '@cria/runtime';
import { assert, CriaError, StepTail } from '@cria/runtime';
import { faultySlots } from '../plan/exchange-plan.js';
import type { SlotResult } from '../report/report-part.js';
import { Change } from '../wire/change.js';
import type { FrameTap } from '../wire/part-source.js';
import { PeerClient } from '../wire/peer-client.js';
import { PeerServer } from '../wire/peer-server.js';
import { ExchangeRun } from './exchange-run.js';
import type { Served } from './node-source.js';
import { NodeSource } from './node-source.js';
import type { ExchangeEvent, ExchangeOrder, ExchangeOutcome, Prepared } from './order.js';
import { isNewer, isSameExchange } from './order.js';
import { PartReducer } from './part-reducer.js';
import type { HeldReduced } from './reduced-store.js';
import { ReducedStore } from './reduced-store.js';
import type { ExchangeSettings } from './settings.js';
import type { PassedParts } from './slot-registry.js';
import { SharedRooms } from './shared-rooms.js';
import { SlotRegistry } from './slot-registry.js';
import { StateKeeper } from './state-keeper.js';
import type { ArrivedPart, StatePullOrder } from './state-pull.js';
import { pullState } from './state-pull.js';

export interface ExchangeNodeOptions {
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly emit: (event: ExchangeEvent) => void;
  readonly token?: string;
  /** Fault injection in tests. */
  readonly tap?: FrameTap;
}

interface Current {
  readonly order: ExchangeOrder;
  readonly abort: AbortController;
  readonly outcome: Promise<ExchangeOutcome>;
  servesAccumulator: boolean;
}

export class ExchangeNode {
  readonly #options: ExchangeNodeOptions;
  readonly #change = new Change();
  readonly #client: PeerClient;
  readonly #server: PeerServer;
  readonly #stopping = new AbortController();
  #served: Omit<Served, 'newest'> | null = null;
  #current: Current | null = null;
  #turns: Promise<void> = Promise.resolve();
  #sentBefore = 0;
  #receivedBefore = 0;

  constructor(options: ExchangeNodeOptions) {
    const { kernels, clock, token, tap } = options;
    const auth = token === undefined ? {} : { token };
    this.#options = options;
    this.#client = new PeerClient({ kernels, clock, ...auth });
    const source = new NodeSource(() => this.#allServed(), this.#change);
    this.#server = new PeerServer({ kernels, clock, source, ...auth, ...(tap === undefined ? {} : { tap }) });
  }

  /** Listens; returns the address for peers. Throws PORT_IN_USE. */
  start(listen: { host: string; port: number }): Promise<string> {
    return this.#server.start(listen);
  }

  async stop(): Promise<void> {
    this.#stopping.abort('this process is stopping');
    this.#current?.abort.abort('this process is stopping');
    await this.#server.stop();
    this.#client.close();
  }

  /** Says which run, worker and memory this is; forgets everything of an earlier run. */
  async configure(settings: ExchangeSettings): Promise<void> {
    await this.endStreams();
    const { kernels, emit } = this.#options;
    const { accumulator, params } = settings.state;
    const rooms = new SharedRooms();
    this.#current = null;
    this.#served = {
      settings,
      kernels,
      rooms,
      registry: new SlotRegistry(partCount(params.length)),
      reducer: new PartReducer(kernels, accumulator, rooms),
      reduced: new ReducedStore(rooms),
      keeper: new StateKeeper(settings.state, kernels, (position) =>
        emit({ kind: 'stripe-pulled', position }),
      ),
      ledger: new StepTail<string>(),
    };
    this.#change.notify();
  }

  /** The accumulator was dropped and will hold slots of `step`. Call {@link endStreams} before it changes. */
  resetSlots(step: number): void {
    this.#configured().registry.reset(step);
    this.#change.notify();
  }

  /** A running slot's backward has passed some parts: they can be served while it goes on. */
  partsPassed(passed: PassedParts): void {
    this.#configured().registry.partsPassed(passed);
    this.#change.notify();
  }

  /** A slot is in the accumulator. */
  slotDone(step: number, result: SlotResult): void {
    this.#configured().registry.slotDone(step, result);
    this.#change.notify();
  }

  /**
   * Carries out an Exchange. The same one again gives the same promise; a newer one supersedes.
   *
   * @throws TERM_STALE when the order is older than one that was obeyed
   */
  async begin(order: ExchangeOrder): Promise<ExchangeOutcome> {
    const begun = await this.#inTurn(() => this.#install(order));
    return begun.outcome;
  }

  async #install(order: ExchangeOrder): Promise<Current> {
    const current = this.#current;
    if (current !== null) {
      // Ended by `endStreams` and ordered again, unchanged: a listener begins anew. A member's accumulator has changed.
      const isOver = current.abort.signal.aborted && order.shadow;
      if (isSameExchange(order, current.order) && !isOver) return current;
      if (!isSameExchange(order, current.order) && !isNewer(order, current.order))
        throw staleOrder(order, current.order);
    }
    await this.#closeAccumulator(`attempt ${order.attempt} of term ${order.term.number} began`);
    if (order.isVoid) this.#configured().reduced.drop(order.step);
    const abort = new AbortController();
    const begun: Current = {
      order,
      abort,
      servesAccumulator: true,
      outcome: Promise.resolve().then(() => this.#carryOut(order, abort)),
    };
    this.#current = begun;
    this.#change.notify();
    return begun;
  }

  /**
   * Ends all streams of the accumulator; it may change when this resolves. An exchange that still needs it is
   * superseded; a prepared one stays prepared and goes on being served.
   */
  endStreams(): Promise<void> {
    return this.#inTurn(() => this.#closeAccumulator('the accumulator changes'));
  }

  /** The prepared gradient of `step` for the engine thread, or null. */
  holdReduced(step: number): HeldReduced | null {
    return this.#configured().reduced.hold(step);
  }

  /** Whoever held a gradient has no more use for it: its memory may be used again. */
  releaseReduced(hold: number): void {
    this.#served?.reduced.release(hold);
  }

  /** Forgets the gradient of `step`, finished or not. */
  dropReduced(step: number): void {
    this.#configured().reduced.drop(step);
  }

  pullState(order: StatePullOrder, signal: AbortSignal): Promise<ArrivedPart[]> {
    const { settings, kernels } = this.#configured();
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    setMaxListeners(0, either); // one for every part under way
    return pullState(order, { client: this.#client, kernels, settings, signal: either });
  }

  /** Keeps parts of state[position] for a checkpoint until they were pulled. */
  preserve(position: number, parts: readonly number[]): void {
    this.#configured().keeper.preserve(position, parts);
  }

  /** Copies what is still kept and not pulled; call it before a step is applied. */
  secureStripe(): void {
    this.#configured().keeper.secure();
  }

  releaseStripe(): void {
    this.#configured().keeper.release();
  }

  keepEntry(step: number, line: string): void {
    this.#configured().ledger.append(step, line);
  }

  dropEntries(before: number): void {
    this.#configured().ledger.dropBefore(before);
  }

  async #carryOut(order: ExchangeOrder, abort: AbortController): Promise<ExchangeOutcome> {
    const served = this.#configured();
    const prepared = served.reduced.prepared(order.step);
    if (prepared !== null) return { ...prepared, term: order.term, attempt: order.attempt };
    const fault = this.#faultOf(order, served);
    if (fault !== null) return { kind: 'blocked', why: fault };
    const { kernels, clock, emit } = this.#options;
    const context = { ...served, kernels, clock, emit, client: this.#client, change: this.#change };
    const { exchangeMs } = served.settings.timings;
    const deadline = clock.timer(exchangeMs, () => abort.abort(`it took longer than ${exchangeMs} ms`));
    try {
      const outcome = await new ExchangeRun(context, order, abort.signal).run();
      return outcome.kind === 'prepared' ? this.#finish(outcome) : outcome;
    } finally {
      deadline.cancel();
    }
  }

  #finish(outcome: Prepared): Prepared {
    const bytesSent = this.#server.bytesSent - this.#sentBefore;
    const bytesReceived = this.#client.bytesReceived - this.#receivedBefore;
    this.#sentBefore = this.#server.bytesSent;
    this.#receivedBefore = this.#client.bytesReceived;
    const prepared = { ...outcome, bytesSent, bytesReceived };
    this.#configured().reduced.finish(prepared);
    return prepared;
  }

  /** Why an order cannot succeed whatever the others do, after saying so in an event; or null. */
  #faultOf(order: ExchangeOrder, { settings, registry }: Omit<Served, 'newest'>): string | null {
    const { term, attempt } = order;
    const slots = order.from.length > 0 ? [] : faultySlots(order.sets, settings.slots);
    if (slots.length > 0) {
      const why = `the sets name slots ${slots.join(', ')} twice or not at all`;
      this.#options.emit({ kind: 'blocked', term, attempt, about: 'slot', peer: '', slots, part: 0, why });
      return why;
    }
    const own = order.sets.find(({ worker }) => worker === settings.workerId);
    if (own === undefined || order.shadow || order.from.length > 0 || registry.step !== order.step)
      return null;
    const foreign = registry.foreign(own.slots);
    if (foreign.length === 0) return null;
    this.#options.emit({ kind: 'wrong-set', term, attempt, has: registry.has() });
    return `the accumulator holds slots ${foreign.join(', ')} that are not in its set`;
  }

  async #closeAccumulator(why: string): Promise<void> {
    if (this.#current !== null) {
      this.#current.servesAccumulator = false;
      this.#current.abort.abort(why);
      this.#change.notify();
    }
    await this.#server.endStreams((request) => request.content === Content.CONTENT_ACC, why);
  }

  /** One after the other: an order must not begin while another is still taking the place of its predecessor. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turns.then(act);
    this.#turns = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  #allServed(): Served | null {
    if (this.#served === null) return null;
    const current = this.#current;
    return { ...this.#served, newest: current === null ? null : current };
  }

  #configured(): Omit<Served, 'newest'> {
    assert(this.#served !== null, 'the exchange is configured before it is used');
    return this.#served;
  }
}

function staleOrder(order: ExchangeOrder, newest: ExchangeOrder): CriaError {
  const name = ({ term, attempt }: ExchangeOrder): string =>
    `attempt ${attempt} of term ${term.number} (${term.leader})`;
  return new CriaError('TERM_STALE', `an Exchange came late: ${name(order)} after ${name(newest)}`);
}
