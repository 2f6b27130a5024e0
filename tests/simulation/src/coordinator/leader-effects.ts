// Carries out what decideLeader wants done (apps/coordinator/src/lead/leader-effects.ts).
import type { LeaderEffect, StripeOrder } from '@cria/coordinator/decide/leader-events';
import type { Stripe } from '@cria/protocol';
import { entryLine } from '../model/entry-line.js';
import { decodeReport } from '../model/mathematics.js';
import { mathOf } from '../model/verdict.js';
import { RedisUnavailable } from '../stores/fake-redis.js';
import { sleep, type Task } from '../world/future.js';
import type { Leadership } from './leadership.js';

type EffectOf<Name extends LeaderEffect['do']> = Extract<LeaderEffect, { do: Name }>;

const APPEND_RETRY_MS = 200;
const ROLES = { member: 1, shadow: 2, load: 3, wait: 4 } as const;
const NO_BYTES = Buffer.alloc(0);

export function carryOut(leadership: Leadership, effect: LeaderEffect): void {
  const { term, cluster } = leadership;
  switch (effect.do) {
    case 'welcome':
      return welcome(leadership, effect);
    case 'grant':
      return grant(leadership, effect);
    case 'release': {
      const { step, slot } = effect;
      return leadership.send(effect.worker, { $case: 'release', value: { term, step, slot } });
    }
    case 'evaluate': {
      const sequences = effect.indices.map((index) => ({ index, tokens: NO_BYTES }));
      const value = { term, step: effect.step, sequences };
      return leadership.send(effect.worker, { $case: 'evaluate', value });
    }
    case 'exchange':
      return exchange(leadership, effect);
    case 'append':
      return leadership.process.run(append(leadership, effect), (error) => leadership.fail(error));
    case 'commit':
      return commit(leadership, effect);
    case 'store': {
      const value = { term, step: effect.step, stripes: protoStripes(effect.stripes) };
      for (const worker of effect.to) leadership.send(worker, { $case: 'store', value });
      return;
    }
    case 'pull-checkpoint':
      return leadership.pullCheckpoint(effect.step, effect.stripes);
    case 'abandon-checkpoint':
      return leadership.abandonCheckpoint();
    case 'fetch-entries':
      return leadership.fetchEntries(effect.worker, effect.from);
    case 'evict': {
      const { worker, why, mayReturn } = effect;
      leadership.send(worker, { $case: 'evict', value: { term, reason: why, mayReturn } });
      return leadership.link(worker)?.close(why);
    }
    case 'seats':
      return leadership.seats.offer(effect.waiting);
    case 'validated':
      return cluster.invariants.validated(effect.step, effect.lossBits);
    case 'note':
      return cluster.invariants.noted(leadership, effect);
    case 'finish':
      return leadership.finish(effect.ending, effect.reason);
    case 'step-down':
      return leadership.stepDown(effect.why, effect.termAtLeast);
    case 'measured':
      return cluster.invariants.progressed();
  }
}

function welcome(leadership: Leadership, { worker, role, step, keep, donors }: EffectOf<'welcome'>): void {
  const { cluster, term, ledger, process, peerAddress } = leadership;
  const isLoad = role === 'load';
  if (isLoad || role === 'shadow') leadership.gaveUp.add(worker);
  const value = {
    ...{ runId: cluster.rules.runId, term, role: ROLES[role], step, keep: [...keep] },
    donors: isLoad
      ? [{ id: process.id, address: peerAddress }]
      : donors.map((id) => ({ id, address: leadership.addressOf(id) })),
    coordinators: [...cluster.coordinatorAddresses],
    mathHash: ledger.mathHashAt(step),
    stateDigest: ledger.entry(step)?.math.stateDigest ?? '',
  };
  leadership.send(worker, { $case: 'welcome', value });
}

function grant(leadership: Leadership, effect: EffectOf<'grant'>): void {
  leadership.cluster.invariants.granted(leadership, effect);
  const { worker, step } = effect;
  const slots = [...effect.slots, ...effect.spares].map((slot, i) => ({
    ...{ slot, tokens: NO_BYTES },
    spare: i >= effect.slots.length,
  }));
  leadership.send(worker, { $case: 'grant', value: { term: leadership.term, step, slots } });
}

function exchange(leadership: Leadership, effect: EffectOf<'exchange'>): void {
  const { cluster, state, term } = leadership;
  const { step, attempt, from } = effect;
  const isMutant = cluster.mutants.attemptPerStep === true;
  const value = {
    ...{ term, step },
    attempt: isMutant ? state.attemptsThisStep : attempt,
    sets: effect.sets.map(({ worker, slots }) => ({
      ...{ worker, address: leadership.addressOf(worker) },
      slots: [...slots],
    })),
    from: from.map((id) => ({ id, address: leadership.addressOf(id) })),
    void: effect.void,
  };
  cluster.invariants.exchangeSent(value);
  for (const worker of effect.to) leadership.send(worker, { $case: 'exchange', value });
}

function commit(leadership: Leadership, { to, step, stripes }: EffectOf<'commit'>): void {
  const entry = leadership.ledger.entry(step);
  if (entry === null) {
    for (const worker of to) leadership.link(worker)?.close(`entry ${step} is no longer at hand`);
    return;
  }
  const value = { term: leadership.term, entry: entryLine(entry), checkpoint: protoStripes(stripes) };
  for (const worker of to) leadership.send(worker, { $case: 'commit', value });
}

function* append(leadership: Leadership, effect: EffectOf<'append'>): Task {
  const { cluster, ledger, state, process, abort } = leadership;
  const { step, attempt, gradient, members, recomputed } = effect;
  const report = decodeReport(gradient.report, cluster.oracle.shape);
  const wrong = report.counts.flatMap((count, slot) => (count === 1 ? [] : [slot]));
  if (wrong.length > 0 && cluster.mutants.noCountCheck !== true)
    throw new Error(`a prepared sum of step ${step} holds slots ${wrong.join(', ')} twice or not at all`);
  const { gradDigest, stateDigest } = gradient;
  const gradNorm = Number(gradient.gradNormBits);
  const prepared = { step, gradDigest, stateDigest, gradNorm, losses: report.losses };
  const math = mathOf(prepared, ledger.historyBefore(step), cluster.oracle.shape);
  const { desired } = state;
  for (;;) {
    try {
      const outcome = yield* ledger.commit({ math, attempt, members, recomputed, desired });
      return leadership.post({ kind: 'appended', step, outcome });
    } catch (error) {
      if (!(error instanceof RedisUnavailable) || abort.aborted) throw error;
      yield* sleep(process, APPEND_RETRY_MS, abort);
    }
  }
}

function protoStripes(stripes: StripeOrder): Stripe[] {
  return stripes.map(({ worker, firstPart, endPart }, stripe) => ({ stripe, worker, firstPart, endPart }));
}
