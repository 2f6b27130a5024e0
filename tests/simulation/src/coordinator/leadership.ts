// One leadership: feeds events to decideLeader and carries out what it says (apps/coordinator/src/lead/leadership.ts).
import { decideLeader } from '@cria/coordinator/decide/leader';
import type { LeaderEffect, LeaderEvent, StripeOrder } from '@cria/coordinator/decide/leader-events';
import type { Desired, Ending, LeaderState, SlotFacts } from '@cria/coordinator/decide/leader-state';
import { digestText, messageEvent } from '@cria/coordinator/decide/message-event';
import type { LedgerCopy } from '@cria/ledger';
import { workerId, type WorkerId } from '@cria/runtime';
import type { LeaderMessage, WorkerMessage } from '@cria/worker/decide/worker-events';
import type { Cluster } from '../cluster.js';
import { decodeReport, FLAGGED } from '../model/mathematics.js';
import type { SimTerm } from '../stores/redis-data.js';
import { PullError } from '../worker/peer.js';
import { describeMessage } from '../worker/describe-message.js';
import { Abort, Future, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { writeCheckpoint } from './checkpoint-writer.js';
import type { ControlServer, ControlSink, ControlStream } from './control-server.js';
import { fetchEntries } from './fetch-entries.js';
import { carryOut } from './leader-effects.js';
import type { LedgerKeeper } from './ledger-keeper.js';
import { SeatsOffer } from './seats-offer.js';

export type LeadershipEnd =
  | { readonly kind: 'ended'; readonly ending: Ending; readonly reason: string }
  | {
      readonly kind: 'stepped-down';
      readonly why: string;
      readonly termAtLeast: number;
      /** Of the ledger, fetched from workers: for the next recovery. */
      readonly copies: readonly LedgerCopy[];
    }
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

const TICK_MS = 100;
const SEATS_POLL_TICKS = 10;
/** What a leader believes of a worker that it does not ask. */
const NOTHING = {
  ...{ empty: true, position: 0, reduced: null, has: [], running: [], spares: [], stateDigest: '' },
} as const;

export class Leadership implements ControlSink {
  readonly state: LeaderState;
  readonly term: SimTerm;
  readonly ledger: LedgerKeeper;
  readonly seats: SeatsOffer;
  readonly abort = new Abort();
  /** Digests of state[step] as members report them. */
  readonly appliedDigests = new Map<number, Map<string, string>>();
  /** Told to load or copy a state since their last Hello: the one that they have is as good as gone. */
  readonly gaveUp = new Set<string>();
  readonly #parts: LeadershipParts;
  readonly #queue: LeaderEvent[] = [];
  readonly #ended = new Future<LeadershipEnd>();
  /** Of all workers that ever said Hello: an Exchange that is sent again names the dead ones as before. */
  readonly #addresses = new Map<string, string>();
  readonly #copies: LedgerCopy[] = [];
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
    this.seats = new SeatsOffer({
      ...{ cluster: parts.cluster, process: parts.process, termNumber: parts.term.number },
      isOver: () => this.abort.aborted,
      onTaken: (taken) => this.post({ kind: 'invitations-taken', seats: taken }),
      onSuperseded: () => this.stepDown('a later leader offers seats', 0),
    });
  }

  get cluster(): Cluster {
    return this.#parts.cluster;
  }

  get process(): SimProcess {
    return this.#parts.process;
  }

  get peerAddress(): string {
    return this.#parts.peerAddress;
  }

  *run(): Task<LeadershipEnd> {
    const { control, process } = this.#parts;
    control.setSink(this);
    this.#tick();
    const end = yield* wait(process, this.#ended);
    control.setSink(null);
    this.abort.abort(end.kind);
    yield* wait(process, this.seats.idle);
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
    this.#takeNote(worker, message);
    const event = messageEvent(workerId(worker), message, (report) => this.#factsOf(report));
    this.post(this.#mutated(event));
  }

  disconnected(worker: string, why: string): void {
    this.post({ kind: 'disconnected', worker: workerId(worker), why });
  }

  stepDown(why: string, termAtLeast: number): void {
    this.#ended.resolve({ kind: 'stepped-down', why, termAtLeast, copies: this.#copies });
  }

  finish(ending: Ending, reason: string): void {
    for (const worker of this.state.workers.keys()) {
      const value = { term: this.term, reason: `the run has ${ending}`, mayReturn: true };
      this.send(worker, { $case: 'evict', value });
      this.link(worker)?.close('the run has ended');
    }
    this.#ended.resolve({ kind: 'ended', ending, reason });
  }

  fail(error: unknown): void {
    this.#ended.resolve({ kind: 'failed', error });
  }

  addressOf(worker: string): string {
    return this.#addresses.get(worker) ?? '';
  }

  link(worker: string): ControlStream | null {
    return this.#parts.control.link(worker);
  }

  send(worker: string, message: LeaderMessage): void {
    this.cluster.world.mark(`leader -> ${message.$case}`, this.process.id);
    this.link(worker)?.send(message);
  }

  pullCheckpoint(step: number, stripes: StripeOrder): void {
    const sources = stripes.map((stripe) => ({ ...stripe, address: this.addressOf(stripe.worker) }));
    const abort = new Abort();
    this.#checkpointAbort = abort;
    this.abort.onAbort(() => abort.abort('the leadership is over'));
    this.process.run(writeCheckpoint(this, { step, sources, abort }), (error) => {
      // An order that was taken back has failed already.
      if (!abort.aborted) this.post({ kind: 'checkpoint-failed', step, why: String(error) });
    });
  }

  /** What a worker holds of the ledger beyond this leader's goes to the next recovery. */
  fetchEntries(worker: WorkerId, from: number): void {
    this.process.run(
      fetchEntries(this, { worker, from, abort: this.abort }, (copy) => this.#copies.push(copy)),
      (error) => {
        if (!this.abort.aborted && !(error instanceof PullError)) this.fail(error);
        this.post({ kind: 'entries-fetched', worker, end: from });
      },
    );
  }

  abandonCheckpoint(): void {
    this.#checkpointAbort?.abort('a worker with a stripe is gone');
  }

  #carryOut(effect: LeaderEffect): void {
    const { number } = this.term;
    if (effect.do !== 'seats') this.process.log(() => `(term ${number}) ${describeEffect(effect)}`);
    carryOut(this, effect);
  }

  #takeNote(worker: string, message: WorkerMessage): void {
    if (message.$case === 'hello') {
      this.#addresses.set(worker, message.value.address);
      this.gaveUp.delete(worker);
    }
    if (message.$case !== 'applied') return;
    const { step, stateDigest } = message.value;
    const reported = this.appliedDigests.get(step) ?? new Map<string, string>();
    this.appliedDigests.set(step, reported.set(worker, stateDigest));
  }

  #mutated(event: LeaderEvent): LeaderEvent {
    const { nextWithoutWorkers, headWithoutWorkers, attemptPerStep } = this.cluster.mutants;
    if (headWithoutWorkers === true && event.kind === 'hello')
      return { kind: 'hello', hello: { ...event.hello, entriesFirst: 0, entriesEnd: 0 } };
    if (nextWithoutWorkers === true && event.kind === 'hello')
      return { kind: 'hello', hello: { ...event.hello, ...NOTHING } };
    if (attemptPerStep === true && event.kind === 'prepared')
      return { ...event, attempt: this.state.attempt };
    return event;
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
    if (this.#ticks % SEATS_POLL_TICKS === 0) this.seats.poll(() => this.state.seatsWaiting);
    this.process.after(TICK_MS, () => this.#tick());
  }

  #heartbeat(): void {
    const { nowMs } = this.cluster.world;
    if (nowMs - this.#lastHeartbeatMs < this.state.rules.heartbeatMs) return;
    this.#lastHeartbeatMs = nowMs;
    const { head, manifestStep } = this.state;
    const value = {
      ...{ term: this.term, counter: ++this.#heartbeats, head },
      checkpoint: manifestStep ?? 0,
      coordinators: [...this.cluster.coordinatorAddresses],
    };
    for (const worker of this.state.workers.keys()) this.send(worker, { $case: 'heartbeat', value });
  }
}

function describeEffect(effect: LeaderEffect): string {
  if (effect.do === 'note') return `note: ${effect.text}`;
  return `${effect.do} ${JSON.stringify(effect, (key, value: unknown) => (key === 'gradient' ? undefined : value))}`;
}
