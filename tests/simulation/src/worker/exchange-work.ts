// A worker's Exchanges: each runs in the exchange thread, and what comes of it becomes an event.
import type { Exchange, Term } from '@cria/protocol';
import type { WorkerEffect, WorkerEvent } from '@cria/worker/decide/worker-events';
import type { Cluster } from '../cluster.js';
import { wait, type Abort, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import type { Engine } from './engine.js';
import { TermStale } from './exchange-node.js';
import type { ExchangeOutcome } from './exchange-order.js';
import type { ExchangeThread } from './exchange-thread.js';
import type { StateWork } from './state-work.js';

export interface ExchangeWorkOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly engine: Engine;
  readonly exchange: ExchangeThread;
  readonly stateWork: StateWork;
  readonly abort: Abort;
  post(event: WorkerEvent): void;
}

type ExchangeEffect = Extract<WorkerEffect, { do: 'exchange' }>;

interface ExchangeAt {
  readonly term: Term;
  readonly attempt: number;
  readonly step: number;
  readonly isListener: boolean;
}

const NO_STATS = { bytesReceived: 0, bytesSent: 0, waitMs: 0, exchangeMs: 0, memoryBytes: 0 };

export class ExchangeWork {
  readonly #options: ExchangeWorkOptions;

  constructor(options: ExchangeWorkOptions) {
    this.#options = options;
  }

  /** @param sets as the leader sent them: a mutant's decisions believe in others */
  run({ exchange, isListener, isVoid }: ExchangeEffect, sets: Exchange['sets']): void {
    const { term, attempt, step, from } = exchange;
    if (term === undefined) return;
    const { process, cluster, workerId, abort } = this.#options;
    const order = { term, attempt, step, sets, from, isVoid, shadow: isListener };
    process.run(this.#carryOut(order, { term, attempt, step, isListener }), (error) => {
      if (abort.aborted) return;
      if (!(error instanceof TermStale)) return cluster.world.crashed(workerId, error);
      this.#ended({ term, attempt }, true);
    });
  }

  *#carryOut(order: Parameters<ExchangeThread['begin']>[0], at: ExchangeAt): Task {
    const { process, cluster, exchange } = this.#options;
    yield* wait(process, exchange.changed);
    cluster.world.mark('exchanging', process.id);
    yield* this.#done(yield* wait(process, exchange.begin(order)), at);
  }

  *#done(outcome: ExchangeOutcome, { term, attempt, step, isListener }: ExchangeAt): Task {
    if (outcome.kind !== 'prepared')
      return this.#ended({ term, attempt }, outcome.kind === 'blocked' && isListener);
    const { engine, stateWork, post } = this.#options;
    yield* stateWork.reduced(step);
    const digest = yield* engine.stateDigest();
    const { gradDigest, gradNorm, report } = outcome.sum;
    const gradient = { step, gradDigest, gradNormBits: String(gradNorm), stateDigest: digest, report };
    post({ kind: 'reduced', term, attempt, gradient, stats: NO_STATS });
  }

  /** A member's complaints were told as they arose; a listener's is told here. */
  #ended(which: { term: Term; attempt: number }, isBlocked: boolean): void {
    const { post } = this.#options;
    if (!isBlocked) return post({ kind: 'exchange-ended', ...which });
    const why = 'the exchange could not go on';
    post({ kind: 'blocked', ...which, peer: '', slots: [], part: 0, why });
  }
}
