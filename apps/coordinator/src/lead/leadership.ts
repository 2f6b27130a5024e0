// One leadership, from the lease to stepping down: feeds events to decideLeader, one at a time, and carries out what
// it says. Everything that has to outlive it lies in the ledger, the checkpoint store and the workers.
import { verifiedEnd, type LedgerCopy, type LedgerFile } from '@cria/ledger';
import type { SeatsOffer, ShardsBoard, Term } from '@cria/queue';
import { CriaError, type WorkerId } from '@cria/runtime';
import type { LeaderEvent, NoteKind } from '../decide/leader-events.js';
import { decideLeader } from '../decide/leader.js';
import type { Desired, Ending, LeaderState } from '../decide/leader-state.js';
import { messageEvent, type ReportReader } from '../decide/message-event.js';
import type { LedgerKeeper } from '../ledger/ledger-keeper.js';
import { fetchWorkerEntries } from '../ledger/worker-entries.js';
import type { ControlSink, WorkerMessage } from '../rpc/control-server.js';
import { reportReader } from '../rpc/report-reader.js';
import type { LeaderMessage, WorkerLink } from '../rpc/worker-link.js';
import type { RunContext } from '../run-context.js';
import { CheckpointOrders } from './checkpoint-orders.js';
import { carryOut } from './leader-effects.js';
import { shardsBudget } from './shards-budget.js';
import { StepTiming } from './step-timing.js';
import { WorkerStats } from './worker-stats.js';

export type LeadershipEnd =
  | { readonly kind: 'ended'; readonly ending: Ending; readonly reason: string }
  | {
      readonly kind: 'stepped-down';
      readonly why: string;
      readonly termAtLeast: number;
      /** Of the ledger, fetched from workers: for the next recovery. */
      readonly copies: readonly LedgerCopy[];
    }
  | { readonly kind: 'failed'; readonly error: CriaError };

export interface LeadershipParts {
  readonly context: RunContext;
  readonly state: LeaderState;
  readonly term: Term;
  readonly ledger: LedgerKeeper;
  readonly seats: SeatsOffer;
  readonly shards: ShardsBoard;
  readonly file: LedgerFile;
  /** Whether the lease may be relied on at this very moment. */
  isHeld(): boolean;
}

const TICK_MS = 100;
const SEATS_POLL_TICKS = 10;

export class Leadership implements ControlSink {
  readonly context: RunContext;
  readonly state: LeaderState;
  readonly ledger: LedgerKeeper;
  readonly timing = new StepTiming();
  readonly stats = new WorkerStats();
  readonly checkpoints: CheckpointOrders;
  readonly protoTerm: { number: number; leader: string };
  readonly #parts: LeadershipParts;
  readonly #readReport: ReportReader;
  readonly #abort = new AbortController();
  readonly #queue: LeaderEvent[] = [];
  readonly #ended: Promise<LeadershipEnd>;
  #resolveEnded!: (end: LeadershipEnd) => void;
  #deciding = false;
  readonly #copies: LedgerCopy[] = [];
  #ticks = 0;
  #heartbeats = 0;
  #lastHeartbeatMs = 0;
  #seatsChain: Promise<unknown> = Promise.resolve();
  #shardsChain: Promise<unknown> = Promise.resolve();
  #offersSeats = false;
  /** Also of workers that are gone: an Exchange sent again repeats the same bytes. */
  readonly #addresses = new Map<WorkerId, string>();

  constructor(parts: LeadershipParts) {
    this.#parts = parts;
    this.context = parts.context;
    this.state = parts.state;
    this.ledger = parts.ledger;
    this.#readReport = reportReader({ slots: this.context.config.slots, numParts: this.context.numParts });
    this.checkpoints = new CheckpointOrders(this, parts.term);
    this.protoTerm = { number: parts.term.number, leader: parts.term.leader };
    this.#ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  nowMs(): number {
    return this.context.clock.monotonicMs();
  }

  /** Leads until the run ends, the lease is lost or something breaks. */
  async run(): Promise<LeadershipEnd> {
    this.context.control.setSink(this);
    this.#tick();
    const end = await this.#ended;
    this.context.control.setSink(null);
    this.#abort.abort(end.kind);
    await Promise.all([this.#seatsChain, this.#shardsChain]);
    await this.#release();
    return end;
  }

  /** New wishes for the run. */
  wish(desired: Desired): void {
    this.post({ kind: 'desired', desired });
    const paused = desired.paused ? this.#parts.shards.pause() : this.#parts.shards.resume();
    paused.catch((error: unknown) => this.#bookkeepingFailed(error));
  }

  async #release(): Promise<void> {
    const { seats, shards, file } = this.#parts;
    for (const close of [() => seats.close(), () => shards.close(), () => file.close()]) {
      await close().catch((error: unknown) =>
        this.context.log.warn({ error: String(error) }, 'closing failed'),
      );
    }
  }

  /** Takes an event; events are decided one after the other, in order of arrival. */
  post(event: LeaderEvent): void {
    if (this.signal.aborted) return;
    this.#queue.push(event);
    if (this.#deciding) return;
    this.#deciding = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#decide(next);
    } finally {
      this.#deciding = false;
    }
  }

  connected(link: WorkerLink): void {
    this.context.log.debug({ worker: link.worker }, 'control stream opened');
  }

  disconnected(worker: WorkerId, why: string): void {
    this.post({ kind: 'disconnected', worker, why });
  }

  message(worker: WorkerId, message: WorkerMessage): void {
    this.#takeNote(worker, message);
    this.post(messageEvent(worker, message, this.#readReport));
  }

  send(worker: WorkerId, message: LeaderMessage | Promise<LeaderMessage | null>): void {
    this.link(worker)?.send(message);
  }

  link(worker: WorkerId): WorkerLink | null {
    return this.context.control.link(worker);
  }

  addressOf(worker: WorkerId): string {
    return this.#addresses.get(worker) ?? '';
  }

  /** What a worker holds of the ledger beyond this leader's goes to the next recovery. */
  fetchEntries(worker: WorkerId, from: number): void {
    const { runId, coordinatorId: self, config, log } = this.context;
    const order = { runId, self, worker, address: this.addressOf(worker), term: this.protoTerm, from };
    const stallMs = config.timeouts.suspectMs;
    void fetchWorkerEntries({ ...order, stallMs, signal: this.signal }).then(
      (copy) => {
        this.#copies.push(copy);
        this.post({ kind: 'entries-fetched', worker, end: verifiedEnd(copy, this.ledger.head) });
      },
      (error: unknown) => {
        log.warn({ worker, error: String(error) }, 'the ledger entries of a worker could not be fetched');
        this.post({ kind: 'entries-fetched', worker, end: from });
      },
    );
  }

  /** A thousand workers that come at once change it a thousand times: only the newest number goes to Redis. */
  offerSeats(): void {
    if (this.#offersSeats) return;
    this.#offersSeats = true;
    this.#seats(async (seats) => {
      this.#offersSeats = false;
      const result = await seats.setWaiting(Math.max(0, this.state.seatsWaiting));
      if (result.kind === 'superseded') this.stepDown('a later leader offers seats', 0);
    });
  }

  note(kind: NoteKind, worker: WorkerId | null, text: string): void {
    const step = this.state.next;
    this.context.recorder.event(kind, step, text, worker);
    this.context.log.info({ kind, step, worker }, text);
  }

  measured(facts: { step: number; stepMs: number; attempts: number; lostMs: number; members: number }): void {
    const nowMs = this.nowMs();
    const entry = this.ledger.entry(facts.step);
    const times = this.timing.finish(nowMs);
    const wire = this.stats.takeStep();
    if (entry !== null) this.context.recorder.step({ entry, ...facts, ...times, ...wire });
    this.#parts.shards.markProgress(facts.step + 1);
    this.#completeShards(facts.step + 1);
  }

  validated(step: number, lossBits: ReadonlyArray<number | null>): void {
    this.context.recorder.validated(step, lossBits);
  }

  finish(ending: Ending, reason: string): void {
    for (const worker of this.state.workers.keys()) {
      const value = { term: this.protoTerm, reason: `the run has ${ending}`, mayReturn: true };
      this.send(worker, { $case: 'evict', value });
      this.link(worker)?.close('the run has ended');
    }
    this.#resolveEnded({ kind: 'ended', ending, reason });
  }

  stepDown(why: string, termAtLeast: number): void {
    this.#resolveEnded({ kind: 'stepped-down', why, termAtLeast, copies: this.#copies });
  }

  fail(error: unknown): void {
    this.#resolveEnded({ kind: 'failed', error: CriaError.from(error) });
  }

  #decide(event: LeaderEvent): void {
    // A process that was stopped finds all its timers due: nothing of what they say may be acted upon.
    if (!this.#parts.isHeld()) return this.stepDown('the lease was not renewed in time', 0);
    const effects = decideLeader(this.nowMs(), this.state, event);
    for (const effect of effects) carryOut(this, effect);
  }

  /** What displays and checkpoints want to know of a message. */
  #takeNote(worker: WorkerId, message: WorkerMessage): void {
    const nowMs = this.nowMs();
    if (message.$case === 'hello') {
      this.stats.hello(worker, message.value);
      this.#addresses.set(worker, message.value.address);
    } else if (message.$case === 'slotDone') {
      this.timing.slotDone(nowMs);
    } else if (message.$case === 'prepare') {
      this.timing.prepared(nowMs);
      this.stats.prepare(worker, message.value.stats);
    } else if (message.$case === 'applied') {
      this.checkpoints.applied(message.value.step, worker, message.value.stateDigest);
    }
  }

  #tick(): void {
    if (this.signal.aborted) return;
    this.#ticks += 1;
    this.post({ kind: 'tick' });
    this.#heartbeat();
    if (this.#ticks % SEATS_POLL_TICKS === 0) this.#pollSeats();
    this.context.clock.timer(TICK_MS, () => this.#tick());
  }

  #heartbeat(): void {
    const nowMs = this.nowMs();
    if (nowMs - this.#lastHeartbeatMs < this.state.rules.heartbeatMs) return;
    this.#lastHeartbeatMs = nowMs;
    const { head, manifestStep } = this.state;
    const value = {
      ...{ term: this.protoTerm, counter: ++this.#heartbeats, head },
      checkpoint: manifestStep ?? 0,
      coordinators: this.context.coordinators(),
    };
    for (const worker of this.state.workers.keys()) this.send(worker, { $case: 'heartbeat', value });
  }

  /** Invitations that were taken count as workers on their way; the offer itself is repeated, should Redis lose it. */
  #pollSeats(): void {
    this.#seats(async (seats) => {
      await seats.dropExpired();
      const taken = await seats.taken();
      if (taken.length > 0) this.post({ kind: 'invitations-taken', seats: taken.map(({ jobId }) => jobId) });
      if (this.state.seatsWaiting >= 0) await seats.setWaiting(this.state.seatsWaiting);
    });
  }

  /** Shards that Redis has lost are published again. */
  #completeShards(committed: number): void {
    const { shards } = this.#parts;
    this.#shardsChain = this.#shardsChain
      .then(async () => {
        if ((await shards.completeUpTo(committed)) === 'missing')
          await shards.publishShards(shardsBudget(this.context, committed));
      })
      .catch((error: unknown) => this.#bookkeepingFailed(error));
  }

  #seats(act: (seats: SeatsOffer) => Promise<void>): void {
    this.#seatsChain = this.#seatsChain
      .then(() => (this.signal.aborted ? undefined : act(this.#parts.seats)))
      .catch((error: unknown) => this.#bookkeepingFailed(error));
  }

  /** Queues are bookkeeping: the run goes on without them and repairs them later. */
  #bookkeepingFailed(error: unknown): void {
    if (!this.signal.aborted) this.context.log.warn({ error: String(error) }, 'a queue could not be updated');
  }
}
