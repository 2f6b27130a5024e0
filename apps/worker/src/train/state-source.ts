// Where a worker gets its state from: the seed, a checkpoint, or the other members. One at a time; a copy goes on beside
// whatever else is to be done.
import {
  clearPosition,
  type ExchangeThread,
  type HeldReduced,
  type SharedTrainingState,
} from '@cria/collective';
import type { LedgerEntry } from '@cria/ledger';
import type { Welcome } from '@cria/protocol';
import { CriaError, present, type Clock, type Log } from '@cria/runtime';
import type { WorkerEvent } from '../decide/worker-events.js';
import { CatchUp } from './catch-up.js';
import type { EngineClient } from './engine-client.js';
import { loadState } from './load-state.js';

export interface StateSourceOptions {
  readonly genesis: string;
  readonly state: SharedTrainingState;
  readonly engine: EngineClient;
  readonly exchange: ExchangeThread;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the session. */
  readonly signal: AbortSignal;
  readonly post: (event: WorkerEvent) => void;
}

export class StateSource {
  readonly #options: StateSourceOptions;
  /** The copy that was ordered last; it may not have begun. */
  #ordered: CatchUp | null = null;
  #running: CatchUp | null = null;
  #copying: Promise<void> = Promise.resolve();

  constructor(options: StateSourceOptions) {
    this.#options = options;
  }

  /** state[0] from the seed. */
  async make(): Promise<void> {
    await this.#clear();
    const { engine, genesis, post } = this.#options;
    const { stateDigest } = await engine.makeState();
    post({ kind: 'state-ready', position: 0, mathHash: genesis, stateDigest });
  }

  /** From a checkpoint that the coordinator serves. */
  async load(welcome: Welcome): Promise<void> {
    await this.#clear();
    const { exchange, engine, state, signal, post } = this.#options;
    const parts = { exchange, engine, numParts: state.partVersion.length, signal };
    try {
      const stateDigest = await loadState(welcome, parts);
      post({ kind: 'state-ready', position: welcome.step, mathHash: welcome.mathHash, stateDigest });
    } catch (error) {
      post({ kind: 'state-failed', why: CriaError.from(error).message });
    }
  }

  /**
   * A copy from the members is ordered: it hears of every step from now on, also while a slot delays its beginning.
   *
   * @returns begins it
   */
  copy(welcome: Welcome): () => Promise<void> {
    const { exchange, engine, state, clock, log } = this.#options;
    const term = present(welcome.term, 'the term of a Welcome');
    const catchUp = new CatchUp({ welcome, term, exchange, engine, state, clock, log });
    this.#ordered = catchUp;
    return () => this.#begin(catchUp);
  }

  /** A step was committed while the copy is under way. */
  commit(entry: LedgerEntry): void {
    this.#ordered?.commit(entry);
  }

  /** The sum of a step, to bring ranges forward that were pulled before it; it is released from here. */
  holdGradient(held: HeldReduced): void {
    if (this.#ordered !== null) return this.#ordered.holdGradient(held);
    void this.#options.exchange.releaseReduced(held).catch(() => undefined);
  }

  stop(): void {
    this.#running?.stop();
  }

  async #begin(catchUp: CatchUp): Promise<void> {
    await this.#clear();
    const { post } = this.#options;
    this.#running = catchUp;
    this.#copying = catchUp.run().then(
      (caughtUp) => {
        if (this.#running === catchUp) post({ kind: 'state-ready', ...caughtUp });
      },
      (error: unknown) => {
        const isOurs = this.#running === catchUp && !catchUp.stopped;
        if (isOurs) post({ kind: 'state-failed', why: CriaError.from(error).message });
      },
    );
  }

  /** A copy under way has to have ended before anything else writes into the state; what is there counts for nothing. */
  async #clear(): Promise<void> {
    this.#running?.stop();
    // From here on its last words are nobody's.
    this.#running = null;
    await this.#copying;
    clearPosition(this.#options.state);
  }
}
