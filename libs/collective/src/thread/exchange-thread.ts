// The main thread's handle on the exchange thread. gRPC, adding and packing happen there, so that neither the worker's
// control stream nor its engine waits for them; large memory is shared, only small messages cross.
import { Worker } from 'node:worker_threads';
import { CriaError, threadEntry } from '@cria/runtime';
import type { ExchangeEvent, ExchangeOrder, ExchangeOutcome } from '../exchange/order.js';
import type { HeldReduced } from '../exchange/reduced-store.js';
import type { ExchangeSettings } from '../exchange/settings.js';
import type { PassedParts } from '../exchange/slot-registry.js';
import type { ArrivedPart, StatePullOrder } from '../exchange/state-pull.js';
import type { SlotResult } from '../report/report-part.js';
import type { CallName, FromThread, StartOptions, ThreadCalls } from './messages.js';

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

export interface ExchangeThreadOptions {
  readonly onEvent: (event: ExchangeEvent) => void;
  /** The thread ended unasked, by a broken assumption or an unforeseen error: the process should end too. */
  readonly onFailure: (error: Error) => void;
}

export class ExchangeThread {
  readonly #options: ExchangeThreadOptions;
  readonly #pending = new Map<number, PendingCall>();
  #worker: Worker | null = null;
  #nextId = 0;
  #stopped = false;

  constructor(options: ExchangeThreadOptions) {
    this.#options = options;
  }

  /** Starts the thread and its server; returns the address for peers. Throws PORT_IN_USE. */
  start(options: StartOptions): Promise<string> {
    const worker = new Worker(threadEntry(import.meta.url, './exchange-thread-main'));
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#fail(new CriaError('INTERNAL', 'the exchange thread ended')));
    this.#worker = worker;
    return this.#call('start', options);
  }

  /** Ends the server and the thread; idempotent. */
  async stop(): Promise<void> {
    if (this.#stopped || this.#worker === null) return;
    const stopping = this.#call('stop', null);
    this.#stopped = true;
    await stopping.finally(() => this.#worker?.terminate());
  }

  /** Says which run, worker and memory this is; what was known of another run is forgotten. */
  configure(settings: ExchangeSettings): Promise<void> {
    return this.#call('configure', settings);
  }

  /** The accumulator was cleared (after {@link endStreams}) and will hold slots of `step`. */
  resetSlots(step: number): Promise<void> {
    return this.#call('resetSlots', { step });
  }

  /** A running slot's backward has passed some parts; see {@link PassedParts}. */
  partsPassed(passed: PassedParts): Promise<void> {
    return this.#call('partsPassed', passed);
  }

  /** A slot's rounded gradient is in the accumulator. */
  slotDone(step: number, result: SlotResult): Promise<void> {
    return this.#call('slotDone', { step, result });
  }

  /**
   * Carries out an Exchange and resolves when it is prepared, superseded or blocked for good. Meanwhile complaints
   * arrive as `blocked` events. The same order again gives the same outcome.
   *
   * @throws TERM_STALE when a newer one was obeyed
   */
  begin(order: ExchangeOrder): Promise<ExchangeOutcome> {
    return this.#call('begin', order);
  }

  /** Ends all streams of the accumulator; when this resolves it may change. Supersedes an unfinished exchange. */
  endStreams(): Promise<void> {
    return this.#call('endStreams', null);
  }

  /** The prepared gradient of `step`: packed parts over SharedArrayBuffers, valid until `releaseReduced`. */
  holdReduced(step: number): Promise<HeldReduced | null> {
    return this.#call('holdReduced', { step });
  }

  /** Whoever held a gradient has no more use for it: its memory may be used again. */
  releaseReduced({ hold }: HeldReduced): Promise<void> {
    return this.#call('releaseReduced', { hold });
  }

  /** Forgets the gradient of `step`. A void Exchange does it too. */
  dropReduced(step: number): Promise<void> {
    return this.#call('dropReduced', { step });
  }

  /** Writes ranges of the state from donors into the shared state; answers at which position each one is. */
  async pullState(order: StatePullOrder, signal?: AbortSignal): Promise<ArrivedPart[]> {
    const call = this.#nextId;
    const pulling = this.#call('pullState', order);
    const onAbort = (): void => void this.#call('cancelPull', { call }).catch(() => undefined);
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await pulling;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Keeps `parts` of state[position] until they were pulled (a `stripe-pulled` event follows). */
  preserve(position: number, parts: readonly number[]): Promise<void> {
    return this.#call('preserve', { position, parts });
  }

  /** Copies what is kept and not pulled yet. To be awaited before a step is applied. */
  secureStripe(): Promise<void> {
    return this.#call('secureStripe', null);
  }

  /** Gives a kept stripe up. */
  releaseStripe(): Promise<void> {
    return this.#call('releaseStripe', null);
  }

  /** The ledger line of `step` can be fetched from here, with those kept before if they lead up to it. */
  keepEntry(step: number, line: string): Promise<void> {
    return this.#call('keepEntry', { step, line });
  }

  dropEntries(before: number): Promise<void> {
    return this.#call('dropEntries', { before });
  }

  #call<Name extends CallName>(
    name: Name,
    argument: ThreadCalls[Name]['argument'],
  ): Promise<ThreadCalls[Name]['answer']> {
    const worker = this.#worker;
    if (worker === null || this.#stopped) {
      return Promise.reject(new CriaError('EXCHANGE_ABORTED', 'the exchange thread is not running'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, name, argument });
    });
  }

  #receive(message: FromThread): void {
    if (message.kind === 'event') return this.#options.onEvent(message.event);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'answer') pending?.resolve(message.value as never);
    else pending?.reject(CriaError.fromRecord(message.error));
  }

  #fail(error: Error): void {
    const wasStopped = this.#stopped;
    this.#stopped = true;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    if (!wasStopped) this.#options.onFailure(error);
  }
}
