// One leadership: feeds events to decideLeader and carries out what it says (apps/coordinator/src/lead/leadership.ts,
// leader-effects.ts).
import { decideLeader } from '@cria/coordinator/decide/leader';
import type { LeaderEffect, LeaderEvent, StripeOrder } from '@cria/coordinator/decide/leader-events';
import type {
  AttemptMark,
  Desired,
  Ending,
  LeaderState,
  SlotFacts,
} from '@cria/coordinator/decide/leader-state';
import type { Stripe, Term } from '@cria/protocol';
import { workerId, type WorkerId } from '@cria/runtime';
import type { LeaderMessage, WorkerMessage } from '@cria/worker/decide/worker-events';
import type { Cluster } from '../cluster.js';
import { entryLine } from '../model/entry-line.js';
import { decodeReport, FLAGGED } from '../model/mathematics.js';
import { mathOf } from '../model/verdict.js';
import { RedisUnavailable } from '../stores/fake-redis.js';
import type { SimTerm } from '../stores/redis-data.js';
import { describeMessage } from '../worker/describe-message.js';
import { Abort, Chain, Future, sleep, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { writeCheckpoint } from './checkpoint-writer.js';
import type { ControlServer, ControlSink } from './control-server.js';
import type { LedgerKeeper } from './ledger-keeper.js';

export type LeadershipEnd =
  | { readonly kind: 'ended'; readonly ending: Ending; readonly reason: string }
  | { readonly kind: 'stepped-down'; readonly why: string; readonly termAtLeast: number }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface LeadershipParts {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly control: ControlServer;
  /** Where this coordinator serves the bytes of checkpoints. */
  readonly peerAddress: string;
  readonly state: LeaderState;
  readonly term: SimTerm;
  readonly ledger: LedgerKeeper;
}

type EffectOf<Name extends LeaderEffect['do']> = Extract<LeaderEffect, { do: Name }>;

const TICK_MS = 100;
const SEATS_POLL_TICKS = 10;
const APPEND_RETRY_MS = 200;
const ROLES = { member: 1, shadow: 2, load: 3, wait: 4 } as const;

export class Leadership implements ControlSink {
  readonly state: LeaderState;
  readonly term: SimTerm;
  readonly ledger: LedgerKeeper;
  readonly abort = new Abort();
  /** Digests of state[step] as members report them. */
  readonly appliedDigests = new Map<number, Map<string, string>>();
  readonly #parts: LeadershipParts;
  readonly #queue: LeaderEvent[] = [];
  readonly #ended = new Future<LeadershipEnd>();
  readonly #seatsChain: Chain;
  readonly #knownSeats = new Set<string>();
  /** Of all workers that ever said Hello: an Exchange that is sent again names the dead ones as before. */
  readonly #addresses = new Map<string, string>();
  #checkpointAbort: Abort | null = null;
  #deciding = false;
  #ticks = 0;
  #heartbeats = 0;
  #lastHeartbeatMs = 0;

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
    this.state = parts.state;
    this.term = parts.term;
    this.ledger = parts.ledger;
    this.#seatsChain = new Chain(parts.process);
  }

  get cluster(): Cluster {
    return this.#parts.cluster;
  }

  get process(): SimProcess {
    return this.#parts.process;
  }

  *run(): Task<LeadershipEnd> {
    const { control, process } = this.#parts;
    control.setSink(this);
    this.#tick();
    const end = yield* wait(process, this.#ended);
    control.setSink(null);
    this.abort.abort(end.kind);
    yield* wait(process, this.#seatsChain.last);
    return end;
  }

  wish(desired: Desired): void {
    this.post({ kind: 'desired', desired });
  }

  post(event: LeaderEvent): void {
    if (this.abort.aborted) return;
    this.#queue.push(event);
    if (this.#deciding) return;
    this.#deciding = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const effects = decideLeader(this.cluster.world.nowMs, this.state, next);
      for (const effect of effects) this.#carryOut(effect);
      this.cluster.invariants.leaderDecided(this);
    }
    this.#deciding = false;
  }

  message(worker: string, message: WorkerMessage): void {
    this.process.log(() => `from ${worker}: ${describeMessage(message)}`);
    this.cluster.world.mark(`leader <- ${message.$case}`, this.process.id);
    const event = this.#eventOf(workerId(worker), message);
    if (event !== null) this.post(event);
  }

  disconnected(worker: string, why: string): void {
    this.post({ kind: 'disconnected', worker: workerId(worker), why });
  }

  stepDown(why: string, termAtLeast: number): void {
    this.#ended.resolve({ kind: 'stepped-down', why, termAtLeast });
  }

  addressOf(worker: string): string {
    return this.#addresses.get(worker) ?? '';
  }

  #send(worker: string, message: LeaderMessage): void {
    this.cluster.world.mark(`leader -> ${message.$case}`, this.process.id);
    this.#parts.control.link(worker)?.send(message);
  }

  #carryOut(effect: LeaderEffect): void {
    const term = this.term;
    if (effect.do !== 'seats') this.process.log(() => `(term ${term.number}) ${describeEffect(effect)}`);
    switch (effect.do) {
      case 'welcome':
        return this.#welcome(effect);
      case 'grant': {
        this.cluster.invariants.granted(this, effect);
        const slots = [...effect.slots, ...effect.spares].map((slot, i) => ({
          ...{ slot, tokens: NO_BYTES },
          spare: i >= effect.slots.length,
        }));
        return this.#send(effect.worker, { $case: 'grant', value: { term, step: effect.step, slots } });
      }
      case 'release': {
        const { step, slot } = effect;
        return this.#send(effect.worker, { $case: 'release', value: { term, step, slot } });
      }
      case 'evaluate': {
        const sequences = effect.indices.map((index) => ({ index, tokens: NO_BYTES }));
        return this.#send(effect.worker, {
          $case: 'evaluate',
          value: { term, step: effect.step, sequences },
        });
      }
      case 'exchange':
        return this.#exchange(effect);
      case 'append':
        return this.#append(effect);
      case 'commit':
        return this.#commit(effect);
      case 'store': {
        const value = { term, step: effect.step, stripes: protoStripes(effect.stripes) };
        for (const worker of new Set(effect.stripes.map((stripe) => stripe.worker)))
          this.#send(worker, { $case: 'store', value });
        return;
      }
      case 'pull-checkpoint':
        return this.#pullCheckpoint(effect.step, effect.stripes);
      case 'evict':
        return this.#evict(effect);
      case 'seats':
        return this.#offerSeats(effect.waiting);
      case 'validated':
        return this.cluster.invariants.validated(effect.step, effect.lossBits);
      case 'note':
        return this.cluster.invariants.noted(this, effect);
      case 'finish':
        return this.#finish(effect.ending, effect.reason);
      case 'step-down':
        return this.stepDown(effect.why, effect.termAtLeast);
      case 'abandon-checkpoint':
        return this.#checkpointAbort?.abort('a worker with a stripe is gone');
      case 'measured':
        return this.cluster.invariants.progressed();
    }
  }

  #welcome({ worker, role, step, keep, donors }: EffectOf<'welcome'>): void {
    const isLoad = role === 'load';
    const value = {
      runId: this.cluster.rules.runId,
      term: this.term,
      role: ROLES[role],
      step,
      keep: [...keep],
      donors: isLoad
        ? [{ id: this.process.id, address: this.#parts.peerAddress }]
        : donors.map((id) => ({ id, address: this.addressOf(id) })),
      coordinators: [...this.cluster.coordinatorAddresses],
      mathHash: this.ledger.mathHashAt(step),
      stateDigest: this.ledger.entry(step)?.math.stateDigest ?? '',
    };
    this.#send(worker, { $case: 'welcome', value });
  }

  #exchange(effect: EffectOf<'exchange'>): void {
    const { step, attempt, from } = effect;
    const isMutant = this.cluster.mutants.attemptPerStep === true;
    const value = {
      term: this.term,
      step,
      attempt: isMutant ? this.state.attemptsThisStep : attempt,
      sets: effect.sets.map(({ worker, slots }) => ({
        worker,
        address: this.addressOf(worker),
        slots: [...slots],
      })),
      from: from.map((id) => ({ id, address: this.addressOf(id) })),
      void: effect.void,
    };
    this.cluster.invariants.exchangeSent(value);
    for (const worker of effect.to) this.#send(worker, { $case: 'exchange', value });
  }

  #commit({ to, step, stripes }: EffectOf<'commit'>): void {
    const entry = this.ledger.entry(step);
    if (entry === null) {
      for (const worker of to) this.#parts.control.link(worker)?.close(`entry ${step} is no longer at hand`);
      return;
    }
    const value = { term: this.term, entry: entryLine(entry), checkpoint: protoStripes(stripes) };
    for (const worker of to) this.#send(worker, { $case: 'commit', value });
  }

  #evict({ worker, why, mayReturn }: EffectOf<'evict'>): void {
    this.#send(worker, { $case: 'evict', value: { term: this.term, reason: why, mayReturn } });
    this.#parts.control.link(worker)?.close(why);
  }

  #append(effect: EffectOf<'append'>): void {
    const compose = function* (this: Leadership): Task {
      const { step, attempt, gradient, members, recomputed } = effect;
      const report = decodeReport(gradient.report, this.cluster.oracle.shape);
      const wrong = report.counts.flatMap((count, slot) => (count === 1 ? [] : [slot]));
      if (wrong.length > 0 && this.cluster.mutants.noCountCheck !== true)
        throw new Error(`a prepared sum of step ${step} holds slots ${wrong.join(', ')} twice or not at all`);
      const { gradDigest, stateDigest } = gradient;
      const gradNorm = Number(gradient.gradNormBits);
      const prepared = { step, gradDigest, stateDigest, gradNorm, losses: report.losses };
      const math = mathOf(prepared, this.ledger.historyBefore(step), this.cluster.oracle.shape);
      const { desired } = this.state;
      for (;;) {
        try {
          const outcome = yield* this.ledger.commit({ math, attempt, members, recomputed, desired });
          return this.post({ kind: 'appended', step, outcome });
        } catch (error) {
          if (!(error instanceof RedisUnavailable) || this.abort.aborted) throw error;
          yield* sleep(this.process, APPEND_RETRY_MS, this.abort);
        }
      }
    };
    this.process.run(compose.call(this), (error) => this.#fail(error));
  }

  #pullCheckpoint(step: number, stripes: StripeOrder): void {
    const sources = stripes.map((stripe) => ({ ...stripe, address: this.addressOf(stripe.worker) }));
    const abort = new Abort();
    this.#checkpointAbort = abort;
    this.abort.onAbort(() => abort.abort('the leadership is over'));
    this.process.run(writeCheckpoint(this, { step, sources, abort }), (error) => {
      // An order that was taken back has failed already.
      if (!abort.aborted) this.post({ kind: 'checkpoint-failed', step, why: String(error) });
    });
  }

  #finish(ending: Ending, reason: string): void {
    for (const worker of this.state.workers.keys()) {
      const value = { term: this.term, reason: `the run has ${ending}`, mayReturn: true };
      this.#send(worker, { $case: 'evict', value });
      this.#parts.control.link(worker)?.close('the run has ended');
    }
    this.#ended.resolve({ kind: 'ended', ending, reason });
  }

  #fail(error: unknown): void {
    this.#ended.resolve({ kind: 'failed', error });
  }

  #eventOf(worker: WorkerId, message: WorkerMessage): LeaderEvent | null {
    switch (message.$case) {
      case 'hello': {
        const { value } = message;
        this.#addresses.set(worker, value.address);
        const reduced =
          value.reduced === undefined
            ? null
            : {
                ...value.reduced,
                gradDigest: value.reduced.digest,
                mark: markOf(value.reduced),
                slotFacts: this.#factsOf(value.reduced.report),
              };
        const newestVoid = value.newestVoid === undefined ? null : markOf(value.newestVoid);
        const { number: termNumber, leader: termLeader } = value.highestTerm ?? { number: 0, leader: '' };
        const nothing = {
          empty: true,
          position: 0,
          reduced: null,
          has: [],
          running: [],
          spares: [],
          stateDigest: '',
        };
        const isBlind = this.cluster.mutants.nextWithoutWorkers === true;
        const spares = value.spares.map(({ slot, digests }) => ({ slot, digest: digestText(digests) }));
        const known = { ...value, worker, reduced, newestVoid, spares, termNumber, termLeader };
        const hello = isBlind ? { ...known, ...nothing } : known;
        return { kind: 'hello', hello };
      }
      case 'slotDone':
        return { kind: 'slot-done', worker, ...message.value, digest: digestText(message.value.digests) };
      case 'released':
        return { kind: 'released', worker, ...message.value };
      case 'prepare': {
        const { step, gradDigest, gradNormBits, stateDigest, report, attempt } = message.value;
        const gradient = {
          step,
          mark: markOf(message.value),
          gradDigest,
          gradNormBits,
          stateDigest,
          report,
          slotFacts: this.#factsOf(report),
        };
        const isMutant = this.cluster.mutants.attemptPerStep === true;
        return { kind: 'prepared', worker, attempt: isMutant ? this.state.attempt : attempt, gradient };
      }
      case 'blocked': {
        const { attempt, peer, slots, why } = message.value;
        return { kind: 'blocked', worker, attempt, peer: peer === '' ? null : workerId(peer), slots, why };
      }
      case 'applied': {
        const { step, stateDigest } = message.value;
        const reported = this.appliedDigests.get(step) ?? new Map<string, string>();
        this.appliedDigests.set(step, reported.set(worker, stateDigest));
        return { kind: 'applied', worker, step, stateDigest };
      }
      case 'evaluated':
        return { kind: 'evaluated', worker, ...message.value };
      case 'leave':
        return { kind: 'leave', worker, why: message.value.reason };
      case 'stored':
        return { kind: 'contact', worker };
      case 'heartbeat':
        return { kind: 'contact', worker, position: message.value.position };
    }
  }

  #factsOf(report: Uint8Array): (slot: number) => SlotFacts {
    const { losses, digests } = decodeReport(report, this.cluster.oracle.shape);
    return (slot) => ({
      flagged: losses[slot] === FLAGGED,
      digest: digestText(Buffer.from(Uint32Array.of(digests[slot] ?? 0).buffer)),
    });
  }

  #tick(): void {
    if (this.abort.aborted) return;
    this.#ticks += 1;
    this.post({ kind: 'tick' });
    this.#heartbeat();
    if (this.#ticks % SEATS_POLL_TICKS === 0) this.#pollSeats();
    this.process.after(TICK_MS, () => this.#tick());
  }

  #heartbeat(): void {
    const { nowMs } = this.cluster.world;
    if (nowMs - this.#lastHeartbeatMs < this.state.rules.heartbeatMs) return;
    this.#lastHeartbeatMs = nowMs;
    const value = { term: this.term, counter: ++this.#heartbeats, head: this.state.head };
    for (const worker of this.state.workers.keys()) this.#send(worker, { $case: 'heartbeat', value });
  }

  #pollSeats(): void {
    this.#inSeats(function* (this: Leadership): Task {
      const { redis } = this.cluster;
      const read = redis.call(this.process, 'seats', (data, nowMs) => {
        for (const [id, untilMs] of data.active) if (untilMs <= nowMs) data.active.delete(id);
        return [...data.active.keys()];
      });
      for (const seat of yield* wait(this.process, read)) {
        if (this.#knownSeats.has(seat)) continue;
        this.#knownSeats.add(seat);
        this.post({ kind: 'invitation-taken', seat });
      }
      if (this.state.seatsWaiting >= 0) yield* this.#setWaiting(this.state.seatsWaiting);
    });
  }

  #offerSeats(waiting: number): void {
    this.#inSeats(() => this.#setWaiting(waiting));
  }

  *#setWaiting(count: number): Task {
    const { redis, world } = this.cluster;
    const { number } = this.term;
    const change = redis.call(this.process, 'seats', (data) => {
      const numbers = data.waiting.map((id) => Number(id.split('/')[0]));
      if (numbers.some((other) => other > number)) return 'superseded';
      const ours = data.waiting.filter((_, i) => numbers[i] === number).slice(0, count);
      while (ours.length < count) ours.push(`${number}/${world.name('seat')}`);
      data.waiting = ours;
      return 'set';
    });
    if ((yield* wait(this.process, change)) === 'superseded') this.stepDown('a later leader offers seats', 0);
    else redis.publish('seats');
  }

  #inSeats(act: (this: Leadership) => Task): void {
    // Queues are bookkeeping: errors are repaired by the next round.
    void this.#seatsChain.push(() => (this.abort.aborted ? nothing() : act.call(this)));
  }
}

function digestText(digests: Uint8Array): string {
  return Buffer.from(digests).toString('hex');
}

const NO_BYTES = Buffer.alloc(0);

function markOf({ term, attempt }: { term?: Term | undefined; attempt: number }): AttemptMark {
  return { termNumber: term?.number ?? 0, attempt };
}

function* nothing(): Task {
  // There is nothing to do any more.
}

function protoStripes(stripes: StripeOrder): Stripe[] {
  return stripes.map(({ worker, firstPart, endPart }, stripe) => ({ stripe, worker, firstPart, endPart }));
}

function describeEffect(effect: LeaderEffect): string {
  if (effect.do === 'note') return `note: ${effect.text}`;
  return `${effect.do} ${JSON.stringify(effect, (key, value: unknown) => (key === 'gradient' ? undefined : value))}`;
}
