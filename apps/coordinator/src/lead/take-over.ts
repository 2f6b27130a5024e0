// From the lease to a leadership: the one repair path (PROTOCOL 5.2, 5.3).
import { genesisPoint, type LedgerCopy } from '@cria/ledger';
import {
  redisRunRegistry,
  redisSeatsOffer,
  redisShardsBoard,
  type DesiredStore,
  type LeaseKeeper,
  type LedgerTail,
  type RedisConnection,
  type RunRecord,
} from '@cria/queue';
import { CriaError } from '@cria/runtime';
import { join } from 'node:path';
import { newLeaderState, type LeaderRules } from '../decide/leader-state.js';
import { firstKeptStep } from '../ledger/kept-steps.js';
import { LedgerKeeper } from '../ledger/ledger-keeper.js';
import { recoverLedger, refillRedis, takeOverFile, type Recovered } from '../ledger/recover.js';
import type { Desired } from '@cria/queue';
import type { RunContext } from '../run-context.js';
import { Leadership } from './leadership.js';
import { shardsBudget } from './shards-budget.js';
import { workerId } from '@cria/runtime';

export interface TakeOverOptions {
  readonly context: RunContext;
  readonly run: RunRecord;
  readonly redis: RedisConnection;
  readonly queues: RedisConnection;
  readonly lease: LeaseKeeper;
  readonly tail: LedgerTail;
  readonly desired: DesiredStore;
  /** What this process last knew to be wanted, should Redis have lost it. */
  readonly wanted: Desired;
  /** Another led this life of the run before. */
  readonly goesOn: boolean;
  /** Of the ledger, fetched from workers. */
  readonly copies: readonly LedgerCopy[];
  /** A worker was seen to obey a term just below this one. */
  readonly termAtLeast: number;
}

/** Recovers the ledger, raises the term above all that is known, refills Redis and makes the leadership. */
export async function takeOver(options: TakeOverOptions): Promise<Leadership> {
  const { context, redis, queues, lease, tail, desired, wanted } = options;
  const origin = genesisPoint(context.runId, context.genesis);
  const manifest = await context.checkpoints.findNewest();
  const entries = manifest === null ? [] : await context.checkpoints.ledgerOf(manifest.step);
  const recovered = await recoverLedger({
    runId: context.runId,
    genesis: context.genesis,
    ledgerPath: join(context.outDir, 'ledger.jsonl'),
    tail,
    manifest: manifest === null ? null : { source: `checkpoint of step ${manifest.step}`, entries },
    others: options.copies,
    log: context.log,
  });
  await raiseTerm(options, recovered, manifest?.term.number ?? 0);
  const term = lease.term;
  const fromStep = firstKeptStep(recovered.entries, context.checkpoints.steps());
  if ((await refillRedis(tail, term, { recovered, origin, fromStep })) === 'fenced') {
    throw new CriaError('LEASE_LOST', 'the lease was lost while Redis was refilled');
  }
  const file = await takeOverFile(join(context.outDir, 'ledger.jsonl'), recovered, origin, term);
  const ledger = new LedgerKeeper({
    tail,
    file,
    term,
    genesisPoint: origin,
    entries: recovered.entries,
    head: recovered.head,
    tokensPerStep: context.config.budget.sequenceLength * context.config.budget.globalBatch,
    rules: context.config.anomalies,
    clock: context.clock,
    log: context.log,
    recovered: recovered.mayHaveLost,
  });
  await redisRunRegistry(redis).refillRun({ ...options.run, state: 'running' }, ledger.length);
  await redisRunRegistry(redis).setRunState(context.runId, 'running');
  await context.recorder.beginSegment(ledger.length, { goesOn: options.goesOn });
  const holds = await desired.offer(wanted);
  const state = newLeaderState({
    rules: rulesOf(context),
    term: { number: term.number, leader: term.leader },
    nowMs: context.clock.monotonicMs(),
    head: ledger.length,
    lastMembers: (recovered.entries.at(-1)?.ops.members ?? []).map((member) => workerId(member.worker)),
    entries: ledger.digests(),
    manifestStep: manifest?.step ?? null,
    desired: holds,
  });
  const seats = redisSeatsOffer({
    connection: queues,
    runId: context.runId,
    runName: options.run.name,
    term,
    at: { address: context.controlAddress, coordinators: context.coordinators() },
    seatMs: context.config.timeouts.seatMs,
  });
  const shards = redisShardsBoard(queues, context.runId, term);
  if (holds.paused) await shards.pause();
  await shards.publishShards(shardsBudget(context, ledger.length));
  const isHeld = (): boolean => lease.isHeld();
  return new Leadership({ context, state, term, ledger, seats, shards, file, isHeld });
}

async function raiseTerm(
  { lease, termAtLeast }: TakeOverOptions,
  recovered: Recovered,
  manifestTerm: number,
): Promise<void> {
  const newestEntryTerm = recovered.entries.at(-1)?.ops.term.number ?? 0;
  const atLeast = Math.max(newestEntryTerm + 1, manifestTerm + 1, termAtLeast);
  if (lease.term.number >= atLeast) return;
  const raised = await lease.raiseTerm(atLeast);
  if (raised.kind === 'lost')
    throw new CriaError('LEASE_LOST', 'the lease was lost before the term could be raised');
}

function rulesOf(context: RunContext): LeaderRules {
  const { config } = context;
  const { timeouts } = config;
  return {
    runId: context.runId,
    genesis: context.genesis,
    fingerprint: context.fingerprint,
    slots: config.slots,
    numParts: context.numParts,
    endStep: context.endStep,
    workersMin: config.workers.min,
    heartbeatMs: timeouts.heartbeatMs,
    suspectMs: timeouts.suspectMs,
    gatherMs: timeouts.gatherMs,
    blockedMs: timeouts.blockedMs,
    seatMs: timeouts.seatMs,
    startWaitMs: timeouts.startWaitMs,
    releaseLeastMs: timeouts.heartbeatMs,
    checkpointEverySteps: config.checkpoint.everySteps,
    validationEverySteps: config.data.validation.everySteps,
    validationSequences: context.validationSequences,
    onLoss: config.exchange.onLoss,
    recomputeFraction: config.verify.recomputeFraction,
  };
}
