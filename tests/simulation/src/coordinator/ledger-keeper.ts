// The leader's ledger: seals entries, appends them to Redis and to the file; below the head it compares
// (apps/coordinator/src/ledger/ledger-keeper.ts). Seals are the real ones.
import {
  genesisPoint,
  pointAfter,
  seal,
  type ChainPoint,
  type LedgerEntry,
  type LedgerMath,
} from '@cria/ledger';
import type { AppendOutcome } from '@cria/coordinator/decide/leader-events';
import type { Desired, EntryDigests } from '@cria/coordinator/decide/leader-state';
import type { Cluster } from '../cluster.js';
import { GENESIS } from '../model/mathematics.js';
import type { SimLedgerFile } from '../stores/durable.js';
import type { SimTerm } from '../stores/redis-data.js';
import { wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';

export interface PreparedStep {
  readonly math: LedgerMath;
  readonly attempt: number;
  readonly members: ReadonlyArray<{ readonly worker: string; readonly slots: readonly number[] }>;
  readonly recomputed: readonly number[];
  readonly desired: Desired;
}

export interface LedgerKeeperOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly term: SimTerm;
  readonly file: SimLedgerFile;
  readonly entries: readonly LedgerEntry[];
  readonly recovered: boolean;
}

export class LedgerKeeper {
  readonly #options: LedgerKeeperOptions;
  readonly #entries: LedgerEntry[];
  #head: ChainPoint;
  #recovered: boolean;

  constructor(options: LedgerKeeperOptions) {
    this.#options = options;
    this.#entries = [...options.entries];
    const newest = this.#entries.at(-1);
    this.#head = newest === undefined ? genesisOf(options.cluster) : pointAfter(newest);
    this.#recovered = options.recovered;
  }

  get length(): number {
    return this.#head.step + 1;
  }

  entry(step: number): LedgerEntry | null {
    return this.#entries[step] ?? null;
  }

  /** What the verdict on a step looks at. */
  historyBefore(step: number): readonly LedgerEntry[] {
    const { cluster, entries } = this.#options;
    return this.#entries.slice(cluster.mutants.verdictFromMemory === true ? entries.length : 0, step);
  }

  mathHashAt(position: number): string {
    return position === 0 ? GENESIS : (this.entry(position - 1)?.mathHash ?? '');
  }

  /** What the entries at hand say, by step. */
  digests(): Map<number, EntryDigests> {
    return new Map(this.#entries.map((entry) => [entry.math.step, digestsOf(entry)]));
  }

  /** Appends the step, or compares it when the ledger has it. Throws RedisUnavailable: again. */
  *commit({ math, attempt, members, recomputed, desired }: PreparedStep): Task<AppendOutcome> {
    const { cluster, process, term } = this.#options;
    if (math.step < this.length) return compare(math, this.entry(math.step));
    const { revision, target, paused } = desired;
    const entry = seal(this.#head, math, {
      ...{ term: { number: term.number, leader: term.leader }, attempt, members, recomputed },
      desired: { revision, target, paused },
      ...(this.#recovered ? { recovered: true as const } : {}),
      wallMs: Math.floor(cluster.world.nowMs),
    });
    const prev = this.#head.mathHash;
    cluster.world.mark('appending', process.id);
    const result = yield* wait(
      process,
      cluster.redis.call(process, 'append', (data, nowMs) => {
        const before = data.entries().at(-1) ?? null;
        const answer = data.append(nowMs, term, entry, prev);
        if (answer.kind === 'ok') cluster.invariants.appended(entry, before, data.holder(nowMs));
        return answer;
      }),
    );
    process.log(() => `append ${math.step}: ${result.kind}`);
    switch (result.kind) {
      case 'ok':
        this.#take(entry);
        return committed(entry, false);
      case 'have': {
        const outcome = compare(math, result.entry);
        if (outcome.kind !== 'committed' || result.entry === null) return outcome;
        this.#take(result.entry);
        return { ...outcome, replayed: false };
      }
      case 'mismatch':
        return { kind: 'diverged', why: `Redis' newest entry is step ${result.head.step}` };
      case 'fenced':
        return { kind: 'step-down', why: 'another leader holds the lease' };
      case 'behind':
        return { kind: 'step-down', why: 'Redis knows less than the leader' };
    }
  }

  #take(entry: LedgerEntry): void {
    this.#options.file.entries.push(entry);
    this.#entries.push(entry);
    this.#head = pointAfter(entry);
    this.#recovered = false;
  }
}

export function genesisOf(cluster: Cluster): ChainPoint {
  return genesisPoint(cluster.rules.runId, GENESIS);
}

function compare(math: LedgerMath, known: LedgerEntry | null): AppendOutcome {
  if (known === null) return { kind: 'diverged', why: 'the entry to compare with is gone' };
  const isSame =
    math.stateDigest === known.math.stateDigest &&
    math.gradDigest === known.math.gradDigest &&
    Object.is(math.loss, known.math.loss) &&
    Object.is(math.gradNorm, known.math.gradNorm);
  if (isSame) return committed(known, true);
  return { kind: 'diverged', why: `step ${math.step} came out differently than before` };
}

function committed(entry: LedgerEntry, replayed: boolean): AppendOutcome {
  return { kind: 'committed', entry: digestsOf(entry), verdict: entry.math.verdict, replayed };
}

function digestsOf({ math, mathHash }: LedgerEntry): EntryDigests {
  return { stateDigest: math.stateDigest, gradDigest: math.gradDigest, mathHash };
}
