// What the exchange thread is told of accumulator and sums, in order, and what becomes of its answers.
import type { ExchangeEvent, ExchangeOutcome, ExchangeThread } from '@cria/collective';
import type { FromWorker, Term } from '@cria/protocol';
import { pauseAt, type Log } from '@cria/runtime';
import type { WorkerEffect, WorkerEvent } from '../decide/worker-events.js';
import type { WorkerState } from '../decide/worker-state.js';
import type { GpuWatch } from '../gpu-watch.js';
import type { EngineClient } from './engine-client.js';
import type { StateSource } from './state-source.js';

export interface ExchangesOptions {
  readonly thread: ExchangeThread;
  readonly engine: EngineClient;
  readonly source: StateSource;
  readonly gpu: GpuWatch;
  readonly state: WorkerState;
  readonly log: Log;
  /** Of the session. */
  readonly signal: AbortSignal;
  readonly post: (event: WorkerEvent) => void;
  readonly send: (message: NonNullable<FromWorker['message']>) => void;
  /** The session cannot go on. */
  readonly fail: (error: unknown) => void;
}

export class Exchanges {
  readonly #options: ExchangesOptions;
  #told: Promise<void> = Promise.resolve();

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  /** Everything that the thread was told so far is done. */
  get settled(): Promise<void> {
    return this.#told;
  }

  beginAccumulator(step: number): void {
    const { thread } = this.#options;
    this.#tell(async () => {
      await thread.endStreams();
      await thread.resetSlots(step);
    });
  }

  endStreams(): void {
    this.#tell(() => this.#options.thread.endStreams());
  }

  dropReduced(step: number): void {
    this.#tell(() => this.#options.thread.dropReduced(step));
  }

  dropEntries(before: number): void {
    this.#tell(() => this.#options.thread.dropEntries(before));
  }

  /** Begins after all that was told before. */
  run({ exchange, isListener, isVoid }: Extract<WorkerEffect, { do: 'exchange' }>): void {
    const { thread, log } = this.#options;
    const { term, attempt, step, sets, from } = exchange;
    if (term === undefined) return;
    const order = { term, attempt, step, sets, from, isVoid, shadow: isListener };
    const prepared = this.#told.then(() => {
      if (!isListener) pauseAt('exchanging', step);
      return thread.begin(order);
    });
    const told = prepared.then(
      (outcome) => {
        if (outcome.kind === 'prepared') return this.#reduced({ term, attempt, step }, outcome);
        this.#ended({ term, attempt }, outcome.kind === 'blocked' && isListener);
      },
      (error: unknown) => {
        log.warn({ error: String(error), attempt }, 'an exchange ended with an error');
        this.#ended({ term, attempt }, true);
      },
    );
    void told.catch((error: unknown) => this.#broken(error));
  }

  heard(event: ExchangeEvent): void {
    const { log, state, post, send } = this.#options;
    switch (event.kind) {
      case 'blocked': {
        const { term, attempt, peer, slots, part, why } = event;
        log.warn({ attempt, peer, slots, part }, `exchange blocked: ${why}`);
        return post({ kind: 'blocked', term, attempt, peer, slots, part, why });
      }
      case 'damaged':
        return log.warn({ ...event }, 'a damaged frame arrived; it is pulled again');
      case 'wrong-set':
        return post({ kind: 'wrong-set', term: event.term, attempt: event.attempt });
      case 'stripe-pulled': {
        const value = { step: event.position, stripe: 0, stateDigest: state.stateDigest };
        return send({ $case: 'stored', value });
      }
    }
  }

  #tell(act: () => Promise<void>): void {
    this.#told = this.#told.then(act).catch((error: unknown) => this.#broken(error));
  }

  /** What ends with the session is nothing to report. */
  #broken(error: unknown): void {
    const { signal, fail } = this.#options;
    if (!signal.aborted) fail(error);
  }

  async #reduced(
    { term, attempt, step }: { term: Term; attempt: number; step: number },
    outcome: Extract<ExchangeOutcome, { kind: 'prepared' }>,
  ): Promise<void> {
    await this.#copied(step);
    const { engine, gpu, post } = this.#options;
    const stateDigest = await engine.stateDigest();
    const { gradDigest, gradNormBits, report, bytesReceived, bytesSent, waitMs, exchangeMs } = outcome;
    const memoryBytes = process.memoryUsage.rss();
    const stats = {
      ...{ bytesReceived, bytesSent, memoryBytes, gpu: gpu.use },
      waitMs: Math.round(waitMs),
      exchangeMs: Math.round(exchangeMs),
    };
    const gradient = { step, gradDigest, gradNormBits, stateDigest, report };
    post({ kind: 'reduced', term, attempt, gradient, stats });
  }

  /** A copying shadow keeps the sum, to bring ranges forward that were pulled before it. */
  async #copied(step: number): Promise<void> {
    const { thread, source, state } = this.#options;
    if (state.phase !== 'copying') return;
    const held = await thread.holdReduced(step);
    if (held !== null) source.holdGradient(held);
  }

  /** A member's complaints were told as they arose; a listener's is told here. */
  #ended(which: { term: Term; attempt: number }, isBlocked: boolean): void {
    const { post } = this.#options;
    if (!isBlocked) return post({ kind: 'exchange-ended', ...which });
    const why = 'the exchange could not go on';
    post({ kind: 'blocked', ...which, peer: '', slots: [], part: 0, why });
  }
}
