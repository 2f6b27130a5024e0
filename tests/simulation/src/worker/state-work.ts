// Where a worker's state comes from and how it goes on: made, loaded, copied, applied, read
// (apps/worker/src/train/state-source.ts).
import type { LedgerEntry } from '@cria/ledger';
import type { Welcome } from '@cria/protocol';
import { present } from '@cria/runtime';
import type { WorkerEvent } from '@cria/worker/decide/worker-events';
import type { WorkerState } from '@cria/worker/decide/worker-state';
import type { Cluster } from '../cluster.js';
import { entryLine } from '../model/entry-line.js';
import { GENESIS } from '../model/mathematics.js';
import { Future, wait, type Abort, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { CatchUp, pullState } from './catch-up.js';
import type { Engine } from './engine.js';
import type { ExchangeThread } from './exchange-thread.js';
import type { Memory } from './memory.js';

export interface StateWorkOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly memory: Memory;
  readonly engine: Engine;
  readonly exchange: ExchangeThread;
  readonly state: WorkerState;
  readonly abort: Abort;
  post(event: WorkerEvent): void;
}

export class StateWork {
  readonly #options: StateWorkOptions;
  #ordered: CatchUp | null = null;
  #running: CatchUp | null = null;
  #copying = Future.of<void>(undefined);

  constructor(options: StateWorkOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#running?.stop();
  }

  *make(): Task {
    yield* this.#beginAnew();
    const { engine, post } = this.#options;
    const digest = yield* engine.makeState();
    post({ kind: 'state-ready', position: 0, mathHash: GENESIS, stateDigest: digest });
  }

  *load(welcome: Welcome): Task {
    yield* this.#beginAnew();
    const { cluster, process, workerId, memory, engine, abort, post } = this.#options;
    const { term, step, donors, mathHash } = welcome;
    try {
      if (term === undefined) throw new Error('a Welcome without a term');
      const context = { cluster, process, workerId, term, memory };
      for (const part of memory.parts.keys()) {
        const position = yield* pullState(context, { donors, step, part, abort });
        if (position !== step) throw new Error(`part ${part} came from step ${position}, not ${step}`);
      }
      const digest = yield* engine.stateDigest();
      if (welcome.stateDigest !== '' && welcome.stateDigest !== digest)
        throw new Error('the state is damaged');
      post({ kind: 'state-ready', position: step, mathHash, stateDigest: digest });
    } catch (error) {
      post({ kind: 'state-failed', why: String(error) });
    }
  }

  /** From now on a copy hears of every step; what is returned begins it, and it goes on beside everything else. */
  copy(welcome: Welcome): () => Task {
    const { cluster, process, workerId, memory, engine } = this.#options;
    const term = present(welcome.term, 'the term of a Welcome');
    const catchUp = new CatchUp({ cluster, process, workerId, memory, engine, welcome, term });
    this.#ordered = catchUp;
    return () => this.#begin(catchUp);
  }

  *#begin(catchUp: CatchUp): Task {
    yield* this.#beginAnew();
    const { process, post } = this.#options;
    this.#running = catchUp;
    this.#copying = new Future();
    process.spawn(catchUp.run()).onSettled((outcome) => {
      if (this.#running === catchUp) {
        if (!('error' in outcome)) post({ kind: 'state-ready', ...outcome.value });
        else if (!catchUp.stopped) post({ kind: 'state-failed', why: String(outcome.error) });
      }
      this.#copying.resolve();
    });
  }

  /** A copy under way rolls forward with a Commit that it hears. */
  heard(entry: LedgerEntry): void {
    this.#ordered?.commit(entry);
  }

  /** A sum that was copied while the state is being copied. */
  *reduced(step: number): Task {
    const { state, exchange } = this.#options;
    if (state.phase !== 'copying') return;
    const held = yield* exchange.hold(step);
    if (held !== null) this.#ordered?.holdGradient(step, held);
  }

  *read(): Task {
    const { state, engine, post } = this.#options;
    const { position } = state;
    post({ kind: 'state-read', position, stateDigest: yield* engine.stateDigest() });
  }

  *apply(entry: LedgerEntry): Task {
    const { process, cluster, workerId, exchange, engine, state, post } = this.#options;
    const { step, gradNorm, verdict } = entry.math;
    cluster.invariants.applies(workerId, entry);
    const held = yield* exchange.hold(step);
    if (held === null) throw new Error(`the reduced gradient of step ${step} is not here`);
    cluster.world.mark('applying', process.id);
    yield* exchange.secure();
    const sums = new Map(held.sums.map((sum, part) => [part, sum]));
    const digest = yield* engine.update({
      ...{ step, gradNorm, sums, use: verdict === 'use' },
      stateDigest: state.stateDigest,
    });
    exchange.keepEntry(step, entryLine(entry));
    post({ kind: 'applied', position: step + 1, stateDigest: digest });
  }

  /** A copy under way has to have ended before anything else writes into the state. */
  *#beginAnew(): Task {
    const { process, memory } = this.#options;
    this.#running?.stop();
    yield* wait(process, this.#copying);
    this.#running = null;
    memory.clearPosition();
  }
}
