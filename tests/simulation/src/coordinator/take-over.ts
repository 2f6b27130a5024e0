// From the lease to a leadership: the one repair path (apps/coordinator/src/lead/take-over.ts). Which chain is the head
// is decided by the real longestVerified.
import { longestVerified, type LedgerCopy, type LedgerEntry } from '@cria/ledger';
import { newLeaderState, type Desired } from '@cria/coordinator/decide/leader-state';
import { workerId } from '@cria/runtime';
import type { Cluster } from '../cluster.js';
import type { SimTerm } from '../stores/redis-data.js';
import { sleep, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import type { ControlServer } from './control-server.js';
import { genesisOf, LedgerKeeper } from './ledger-keeper.js';
import { Leadership } from './leadership.js';
import type { LeaseKeeper } from './lease-keeper.js';

export interface TakeOverOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly control: ControlServer;
  readonly peerAddress: string;
  readonly lease: LeaseKeeper;
  /** What this process last knew to be wanted. */
  readonly wanted: Desired;
  readonly termAtLeast: number;
  /** Of the ledger, fetched from workers. */
  readonly copies: readonly LedgerCopy[];
}

/** Another leader holds the lease, or nobody: try again. */
export class LeaseLost extends Error {}

export function* takeOver(options: TakeOverOptions): Task<Leadership> {
  const { cluster, process, control, peerAddress, lease } = options;
  const { world, durable, redis } = cluster;
  yield* sleep(process, world.between(1, 10));
  const manifest = durable.newest();
  const { entries, mayHaveLost } = yield* recoverLedger(options, manifest?.entries ?? []);
  yield* raiseTerm(options, entries, manifest?.term.number ?? 0);
  const term: SimTerm = lease.term;
  const base = { step: -1, mathHash: genesisOf(cluster).mathHash };
  const refill = redis.call(process, 'refill', (data, nowMs) => data.refill(nowMs, term, base, entries));
  const refilled = yield* wait(process, refill);
  if (refilled === 'fenced') throw new LeaseLost('the lease was lost while Redis was refilled');
  if (refilled !== 'ok') throw new Error(`Redis holds another history: ${refilled}`);
  const file = durable.takeOverLedger(entries);
  const ledger = new LedgerKeeper({ cluster, process, term, file, entries, recovered: mayHaveLost });
  const { wanted } = options;
  const desired = yield* wait(
    process,
    redis.call(process, 'desired', (data) => data.offerDesired(wanted)),
  );
  const state = newLeaderState({
    rules: cluster.rules,
    term,
    nowMs: world.nowMs,
    head: ledger.length,
    lastMembers: (entries.at(-1)?.ops.members ?? []).map((member) => workerId(member.worker)),
    entries: ledger.digests(),
    manifestStep: manifest?.step ?? null,
    desired,
  });
  process.log(
    () => `leads: term ${term.number}, head ${ledger.length}, manifest ${manifest?.step ?? 'none'}`,
  );
  return new Leadership({ cluster, process, control, peerAddress, state, term, ledger });
}

function* recoverLedger(
  { cluster, process, copies: ofWorkers }: TakeOverOptions,
  ofManifest: readonly LedgerEntry[],
): Task<{ entries: readonly LedgerEntry[]; mayHaveLost: boolean }> {
  const inFile = [...cluster.durable.ledger.entries];
  const { redis } = cluster;
  const isBlind = cluster.mutants.headWithoutRedis === true;
  const inRedis = yield* wait(
    process,
    redis.call(process, 'ledger', (data) => data.entries()),
  );
  const copies = [
    { source: 'ledger.jsonl', entries: inFile },
    { source: 'redis', entries: isBlind ? [] : inRedis },
    { source: 'checkpoint', entries: ofManifest },
    ...ofWorkers,
  ];
  const choice = longestVerified(copies, [{ ...genesisOf(cluster), source: 'genesis' }]);
  if (choice.kind !== 'head') throw new Error(`step ${choice.divergence.step} has two histories`);
  cluster.invariants.recovered(choice.head.step, [inFile, inRedis, ofManifest]);
  return {
    entries: choice.entries,
    mayHaveLost: choice.opsForkStep !== null || choice.resealedFrom !== null,
  };
}

function* raiseTerm(
  { cluster, lease, termAtLeast }: TakeOverOptions,
  entries: readonly LedgerEntry[],
  manifestTerm: number,
): Task {
  if (cluster.mutants.noRaise === true) return;
  const newest = entries.at(-1)?.ops.term.number ?? 0;
  const atLeast = Math.max(newest + 1, manifestTerm + 1, termAtLeast);
  if (lease.term.number >= atLeast) return;
  if (!(yield* lease.raiseTerm(atLeast)))
    throw new LeaseLost('the lease was lost before the term could be raised');
}
