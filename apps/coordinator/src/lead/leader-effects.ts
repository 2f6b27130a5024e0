// Carries out what decideLeader wants done: messages to workers, the ledger, checkpoints, seats.
import { formatLine } from '@cria/ledger';
import { learningRate } from '@cria/model/config';
import type { Stripe } from '@cria/protocol';
import { ReportPart } from '@cria/collective';
import { CriaError, pauseAt, sleep, type WorkerId } from '@cria/runtime';
import type { AppendOutcome, LeaderEffect, StripeOrder } from '../decide/leader-events.js';
import type { PreparedGradient } from '../decide/leader-state.js';
import { mustRepeat, type StepReport } from '../ledger/ledger-keeper.js';
import type { LeaderMessage } from '../rpc/worker-link.js';
import type { Leadership } from './leadership.js';

type EffectOf<Name extends LeaderEffect['do']> = Extract<LeaderEffect, { do: Name }>;

const APPEND_RETRY_MS = 200;
const ROLES = { member: 1, shadow: 2, load: 3, wait: 4 } as const;

export function carryOut(leadership: Leadership, effect: LeaderEffect): void {
  switch (effect.do) {
    case 'welcome':
      return welcome(leadership, effect);
    case 'grant':
      return grant(leadership, effect);
    case 'release':
      return leadership.send(effect.worker, {
        $case: 'release',
        value: { term: leadership.protoTerm, step: effect.step, slot: effect.slot },
      });
    case 'evaluate':
      return evaluate(leadership, effect);
    case 'exchange':
      return exchange(leadership, effect);
    case 'append':
      return append(leadership, effect);
    case 'commit':
      return commit(leadership, effect);
    case 'store': {
      const stripes = protoStripes(effect.stripes);
      const value = { term: leadership.protoTerm, step: effect.step, stripes };
      for (const worker of effect.to) leadership.send(worker, { $case: 'store', value });
      return;
    }
    case 'pull-checkpoint':
      return leadership.checkpoints.pull(effect.step, effect.stripes);
    case 'abandon-checkpoint':
      return leadership.checkpoints.abandon();
    case 'fetch-entries':
      return leadership.fetchEntries(effect.worker, effect.from);
    case 'evict':
      return evict(leadership, effect);
    case 'seats':
      return leadership.offerSeats();
    case 'measured':
      return leadership.measured(effect);
    case 'validated':
      return leadership.validated(effect.step, effect.lossBits);
    case 'note':
      return leadership.note(effect.kind, effect.worker, effect.text);
    case 'finish':
      return leadership.finish(effect.ending, effect.reason);
    case 'step-down':
      return leadership.stepDown(effect.why, effect.termAtLeast);
  }
}

function welcome(leadership: Leadership, effect: EffectOf<'welcome'>): void {
  const { worker, role, step, keep } = effect;
  const donors =
    role === 'load'
      ? [{ id: leadership.context.coordinatorId, address: leadership.context.peerAddress }]
      : effect.donors.map((id) => ({ id, address: leadership.addressOf(id) }));
  const value = {
    runId: leadership.context.runId,
    term: leadership.protoTerm,
    role: ROLES[role],
    step,
    keep: [...keep],
    donors,
    coordinators: leadership.context.coordinators(),
    mathHash: leadership.ledger.mathHashAt(step),
    stateDigest: stateDigestAt(leadership, step),
  };
  leadership.send(worker, { $case: 'welcome', value });
}

/** What the ledger says of state[step], or at its head the checkpoint; empty when neither does. */
function stateDigestAt({ ledger, context }: Leadership, step: number): string {
  const { newest } = context.checkpoints;
  return ledger.entry(step)?.math.stateDigest ?? (newest?.step === step ? newest.stateDigest : '');
}

function grant(leadership: Leadership, { worker, step, slots, spares }: EffectOf<'grant'>): void {
  const all = [...slots, ...spares];
  const read = async (): Promise<LeaderMessage> => {
    const reads = all.map((slot) => leadership.context.tokens.slot(step, slot));
    leadership.timing.readBegins(leadership.nowMs());
    const tokens = await Promise.all(reads).finally(() => leadership.timing.readEnds(leadership.nowMs()));
    const granted = all.map((slot, i) => ({
      slot,
      tokens: tokens[i] ?? Buffer.alloc(0),
      spare: i >= slots.length,
    }));
    return { $case: 'grant', value: { term: leadership.protoTerm, step, slots: granted } };
  };
  leadership.timing.granted(leadership.nowMs());
  leadership.send(worker, read());
}

function evaluate(leadership: Leadership, { worker, step, indices }: EffectOf<'evaluate'>): void {
  const read = async (): Promise<LeaderMessage> => {
    const tokens = await Promise.all(indices.map((index) => leadership.context.tokens.validation(index)));
    const sequences = indices.map((index, i) => ({ index, tokens: tokens[i] ?? Buffer.alloc(0) }));
    return { $case: 'evaluate', value: { term: leadership.protoTerm, step, sequences } };
  };
  leadership.send(worker, read());
}

function exchange(leadership: Leadership, effect: EffectOf<'exchange'>): void {
  const { step, attempt, from } = effect;
  const value = {
    term: leadership.protoTerm,
    step,
    attempt,
    sets: effect.sets.map(({ worker, slots }) => ({
      worker,
      address: leadership.addressOf(worker),
      slots: [...slots],
    })),
    from: from.map((id) => ({ id, address: leadership.addressOf(id) })),
    void: effect.void,
  };
  sendToAll(leadership, effect.to, { $case: 'exchange', value });
}

function commit(leadership: Leadership, { to, step, stripes }: EffectOf<'commit'>): void {
  const entry = leadership.ledger.entry(step);
  if (entry === null) {
    for (const worker of to) leadership.link(worker)?.close(`entry ${step} is no longer at hand`);
    return;
  }
  const value = { term: leadership.protoTerm, entry: formatLine(entry), checkpoint: protoStripes(stripes) };
  sendToAll(leadership, to, { $case: 'commit', value });
}

/** One object for all: it is encoded once. */
function sendToAll(leadership: Leadership, workers: readonly WorkerId[], message: LeaderMessage): void {
  for (const worker of workers) leadership.send(worker, message);
}

function evict(leadership: Leadership, { worker, why, mayReturn }: EffectOf<'evict'>): void {
  leadership.send(worker, { $case: 'evict', value: { term: leadership.protoTerm, reason: why, mayReturn } });
  leadership.link(worker)?.close(why);
}

function protoStripes(stripes: StripeOrder): Stripe[] {
  return stripes.map(({ worker, firstPart, endPart }, stripe) => ({ stripe, worker, firstPart, endPart }));
}

function append(leadership: Leadership, effect: EffectOf<'append'>): void {
  void compose(leadership, effect).then(
    (outcome) => {
      pauseAt('appended', effect.step);
      leadership.post({ kind: 'appended', step: effect.step, outcome });
    },
    (error: unknown) => leadership.fail(error),
  );
}

async function compose(leadership: Leadership, effect: EffectOf<'append'>): Promise<AppendOutcome> {
  const { step, attempt, gradient } = effect;
  const { config } = leadership.context;
  const { revision, target, paused } = leadership.state.desired;
  const prepared = {
    step,
    attempt,
    lr: learningRate(step, { ...config.optimizer, steps: config.budget.steps }),
    gradDigest: gradient.gradDigest,
    gradNormBits: gradient.gradNormBits,
    stateDigest: gradient.stateDigest,
    report: readReport(leadership, gradient),
    members: effect.members.map(({ worker, slots }) => ({ worker: worker as string, slots })),
    recomputed: effect.recomputed,
    desired: { revision, target, paused },
  };
  leadership.timing.appending(leadership.nowMs());
  for (;;) {
    try {
      return await leadership.ledger.commit(prepared);
    } catch (error) {
      if (!mustRepeat(error) || leadership.signal.aborted) throw error;
      leadership.context.log.warn({ step, error: String(error) }, 'the ledger does not answer; tried again');
      await sleep(leadership.context.clock, APPEND_RETRY_MS, leadership.signal);
    }
  }
}

function readReport(leadership: Leadership, gradient: PreparedGradient): StepReport {
  const { slots } = leadership.context.config;
  const report = ReportPart.decode(gradient.report, slots, leadership.context.numParts);
  const wrong = report.wrongCounts();
  if (wrong.length > 0) {
    const names = wrong.map(({ slot, count }) => `${slot} (${count} times)`).join(', ');
    throw new CriaError('PROTOCOL_VIOLATION', `a prepared sum of step ${gradient.step} holds slots ${names}`);
  }
  const facts = Array.from({ length: slots }, (_, slot) => report.slot(slot));
  return {
    lossBits: facts.map((slot) => slot.lossBits),
    flagged: facts.flatMap((slot) => (slot.flagged ? [slot.slot] : [])),
  };
}

export type { WorkerId };
