// A worker's time on the run: the shell around decideWorker (apps/worker/src/run-session.ts), with fakes for the
// engine thread, the exchange thread and the wires.
import { mathFollows, type LedgerEntry } from '@cria/ledger';
import type { Commit, Exchange, Hello, Term, Welcome } from '@cria/protocol';
import { decideWorker } from '@cria/worker/decide/worker';
import type { LeaderMessage, WorkerEffect, WorkerEvent } from '@cria/worker/decide/worker-events';
import {
  newWorkerState,
  ownSlots,
  runningSlots,
  type EntryFacts,
  type SlotWork,
  type WorkerState,
} from '@cria/worker/decide/worker-state';
import type { Cluster } from '../cluster.js';
import { parseEntry } from '../model/entry-line.js';
import { FLAGGED, GENESIS, slotDigest } from '../model/mathematics.js';
import { Abort, Chain, Future, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { CatchUp, pullState } from './catch-up.js';
import { ControlLink } from './control-link.js';
import { describeMessage } from './describe-message.js';
import { Engine, StateDamaged, type Slip } from './engine.js';
import { ExchangeNode, TermStale } from './exchange-node.js';
import type { ExchangeEvent, ExchangeOutcome } from './exchange-order.js';
import { Memory } from './memory.js';
import { ThreadPort } from './thread-port.js';

export interface SessionEnd {
  readonly why: string;
  readonly mayReturn: boolean;
}

export interface SessionOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly seat: string;
  readonly addresses: readonly string[];
  /** Usual time of a slot on this machine. */
  readonly slotMs: number;
  /** The invitation is used up. */
  welcomed(): void;
}

type EffectOf<Name extends WorkerEffect['do']> = Extract<WorkerEffect, { do: Name }>;

interface ExchangeAt {
  readonly term: Term;
  readonly attempt: number;
  readonly step: number;
  readonly isListener: boolean;
}

const NO_STATS = { bytesReceived: 0, bytesSent: 0, waitMs: 0, exchangeMs: 0, memoryBytes: 0 };

export class WorkerSession {
  readonly state: WorkerState;
  readonly memory: Memory;
  readonly #options: SessionOptions;
  readonly #engine: Engine;
  readonly #node: ExchangeNode;
  readonly #port: ThreadPort;
  readonly #link: ControlLink;
  readonly #abort = new Abort();
  readonly #ended = new Future<SessionEnd>();
  readonly #work: Chain;
  readonly #streams: Chain;
  readonly #queue: WorkerEvent[] = [];
  #deciding = false;
  #catchUp: CatchUp | null = null;
  #copying = Future.of<void>(undefined);
  #seatUsed = false;
  #beats = 0;
  /** As the leader sent it; kept for a mutant only. */
  #newestExchange: Exchange | null = null;

  constructor(options: SessionOptions) {
    const { cluster, process, workerId, addresses, slotMs } = options;
    this.#options = options;
    this.state = newWorkerState(workerId, GENESIS);
    this.memory = new Memory(cluster.oracle.shape);
    this.#engine = new Engine(process, this.memory, slotMs);
    this.#port = new ThreadPort(process);
    this.#work = new Chain(process);
    this.#streams = new Chain(process);
    const emit = (event: ExchangeEvent): void => this.#port.back(() => this.#onExchange(event));
    this.#node = new ExchangeNode({
      ...{ cluster, process, workerId, memory: this.memory },
      shape: cluster.oracle.shape,
      emit,
    });
    this.#link = new ControlLink({
      ...{ cluster, process, addresses },
      onConnected: () => this.#post({ kind: 'connected' }),
      onDisconnected: () => this.#post({ kind: 'disconnected' }),
      onMessage: (message) => this.#onMessage(message),
    });
  }

  get #address(): string {
    return `peer:${this.#options.workerId}`;
  }

  /** The next computation of this kind goes wrong. */
  slip(kind: Slip): void {
    this.#engine.slip(kind);
  }

  *run(): Task<SessionEnd> {
    const { cluster, process, workerId } = this.#options;
    cluster.peers.set(this.#address, { process, serves: this.#node.source });
    cluster.invariants.sessionBegan(workerId, this);
    this.#heartbeat();
    process.run(this.#link.run(this.#abort), (error) => {
      if (!this.#abort.aborted) cluster.world.crashed(process.id, error);
    });
    try {
      return yield* wait(process, this.#ended);
    } finally {
      this.#abort.abort('the session is over');
      this.#catchUp?.stop();
      cluster.peers.delete(this.#address);
      cluster.invariants.sessionEnded(workerId);
    }
  }

  /** SIGTERM: leaves between two steps. */
  leave(why: string): void {
    this.#post({ kind: 'leave', why });
  }

  #post(event: WorkerEvent): void {
    if (this.#abort.aborted) return;
    this.#queue.push(event);
    if (this.#deciding) return;
    this.#deciding = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for (const effect of decideWorker(this.state, next)) this.#carryOut(effect);
      this.#options.cluster.invariants.workerDecided(this.#options.workerId, this);
    }
    this.#deciding = false;
  }

  #onMessage(message: LeaderMessage): void {
    const { process, cluster, workerId } = this.#options;
    process.log(() => `${workerId} <- ${describeMessage(message)}`);
    cluster.world.mark(`worker <- ${message.$case}`, process.id);
    if (this.#abort.aborted) return;
    if (message.$case === 'welcome') this.#onWelcome(message.value);
    if (cluster.mutants.noTermCheck === true && 'term' in message.value && message.value.term !== undefined)
      this.state.term = { number: 0, leader: '' };
    const entry = message.$case === 'commit' ? entryFacts(parseEntry(message.value.entry)) : null;
    this.#post({ kind: 'message', message: this.#mutated(message), entry });
  }

  /** A worker without the keep rule believes that it may keep, and that every Exchange counts on, what it has. */
  #mutated(message: LeaderMessage): LeaderMessage {
    if (this.#options.cluster.mutants.noKeepRule !== true) return message;
    const slots = ownSlots(this.state);
    if (message.$case === 'welcome') return { $case: 'welcome', value: { ...message.value, keep: slots } };
    if (message.$case !== 'exchange') return message;
    const { value } = message;
    this.#newestExchange = value;
    const sets = value.sets.map((set) => (set.worker === this.state.worker ? { ...set, slots } : set));
    return { $case: 'exchange', value: { ...value, sets } };
  }

  #onWelcome(welcome: Welcome): void {
    this.#link.learn(welcome.coordinators);
    if (this.#seatUsed) return;
    this.#seatUsed = true;
    this.#options.welcomed();
  }

  #carryOut(effect: WorkerEffect): void {
    const { process, workerId, cluster } = this.#options;
    switch (effect.do) {
      case 'hello':
        process.log(() => `${workerId} hello at ${this.state.position} (${this.state.phase}): ${effect.why}`);
        return this.#link.send({ $case: 'hello', value: this.#hello() });
      case 'send':
        process.log(() => `${workerId} -> ${describeMessage(effect.message)}`);
        cluster.world.mark(`worker -> ${effect.message.$case}`, process.id);
        return this.#link.send(effect.message);
      case 'make-state':
        return this.#inTurn(() => this.#replaceState(() => this.#makeState()));
      case 'load-state':
        return this.#inTurn(() => this.#replaceState(() => this.#loadState(effect.welcome)));
      case 'copy-state':
        return this.#inTurn(() => this.#replaceState(() => done(() => this.#copyState(effect.welcome))));
      case 'compute':
        return this.#compute(effect);
      case 'begin-accumulator':
        return this.#beginAccumulator(this.state.position);
      case 'drop-accumulator':
      case 'cancel-exchange':
        return this.#changeStreams(() => this.#node.endStreams());
      case 'evaluate':
        return this.#inTurn(() => this.#evaluate(effect));
      case 'exchange':
        return this.#runExchange(effect);
      case 'drop-reduced':
        return this.#changeStreams(() => done(() => this.#node.reduced.drop(this.state.position)));
      case 'apply':
        return this.#inTurn(() => this.#apply(effect.commit));
      case 'copy-commit':
        return this.#catchUp?.commit(parseEntry(effect.commit.entry));
      case 'keep-stripes':
        return this.#keepStripes(effect);
      case 'read-state':
        return this.#inTurn(() => this.#readState());
      case 'leave-run':
        return this.#ended.resolve({ why: effect.why, mayReturn: effect.mayReturn });
    }
  }

  #inTurn(act: () => Task): void {
    this.#work.push(act).onSettled((outcome) => this.#check(outcome));
  }

  /** What the exchange thread is told about the accumulator, in order; an Exchange begins after all of it. */
  #changeStreams(act: () => Task): void {
    const { process } = this.#options;
    this.#streams
      .push(() => wait(process, this.#port.call(act)))
      .onSettled((outcome) => this.#check(outcome));
  }

  #check(outcome: { value: unknown } | { error: unknown }): void {
    if (!('error' in outcome) || this.#abort.aborted) return;
    if (outcome.error instanceof StateDamaged) return this.#options.process.kill();
    this.#options.cluster.world.crashed(this.#options.workerId, outcome.error);
  }

  *#makeState(): Task {
    const digest = yield* this.#engine.makeState();
    this.#post({ kind: 'state-ready', position: 0, mathHash: GENESIS, stateDigest: digest });
  }

  *#readState(): Task {
    const { position } = this.state;
    this.#post({ kind: 'state-read', position, stateDigest: yield* this.#engine.stateDigest() });
  }

  *#loadState(welcome: Welcome): Task {
    const { cluster, process, workerId } = this.#options;
    const { term, step, donors, mathHash } = welcome;
    try {
      if (term === undefined) throw new Error('a Welcome without a term');
      const context = { cluster, process, workerId, term, memory: this.memory };
      for (const part of this.memory.parts.keys()) {
        const position = yield* pullState(context, { donors, step, part, abort: this.#abort });
        if (position !== step) throw new Error(`part ${part} came from step ${position}, not ${step}`);
      }
      const digest = yield* this.#engine.stateDigest();
      if (welcome.stateDigest !== '' && welcome.stateDigest !== digest)
        throw new Error('the state is damaged');
      this.#post({ kind: 'state-ready', position: step, mathHash, stateDigest: digest });
    } catch (error) {
      this.#post({ kind: 'state-failed', why: String(error) });
    }
  }

  /** A copy under way has to have ended before anything else writes into the state. */
  *#replaceState(act: () => Task): Task {
    this.#catchUp?.stop();
    yield* wait(this.#options.process, this.#copying);
    this.#catchUp = null;
    this.memory.clearPosition();
    yield* act();
  }

  #copyState(welcome: Welcome): void {
    const { cluster, process, workerId } = this.#options;
    const { term } = welcome;
    if (term === undefined) return;
    const context = { cluster, process, workerId, memory: this.memory, engine: this.#engine };
    const catchUp = new CatchUp({ ...context, welcome, term });
    this.#catchUp = catchUp;
    this.#copying = new Future();
    process.spawn(catchUp.run()).onSettled((outcome) => {
      if (this.#catchUp === catchUp) {
        if (!('error' in outcome)) this.#post({ kind: 'state-ready', ...outcome.value });
        else if (!catchUp.stopped) this.#post({ kind: 'state-failed', why: String(outcome.error) });
      }
      this.#copying.resolve();
    });
  }

  #beginAccumulator(step: number): void {
    this.#changeStreams(() => this.#node.endStreams());
    this.#changeStreams(() => done(() => this.#node.resetSlots(step)));
  }

  #compute({ work, first, generation }: EffectOf<'compute'>): void {
    const step = this.state.position;
    const streamsEnded = this.#streams.last;
    const { process } = this.#options;
    const compute = (): Task => this.#computeSlot(work, { first, generation, step });
    this.#inTurn(function* () {
      yield* wait(process, streamsEnded);
      yield* compute();
    });
  }

  *#computeSlot(work: SlotWork, at: { first: boolean; generation: number; step: number }): Task {
    const { process } = this.#options;
    process.world.mark('computing', process.id);
    const { spare } = work;
    const computed = yield* this.#engine.slot({ step: at.step, slot: work.slot, clear: at.first, spare });
    if (!spare && at.generation !== this.state.generation) return;
    const register = (): void => this.#node.slotDone(at.step, computed);
    if (!spare)
      yield* wait(
        process,
        this.#port.call(() => done(register)),
      );
    const { slot, loss, computeMs } = computed;
    const value = { step: at.step, slot, flagged: loss === FLAGGED, lossBits: loss, computeMs, spare };
    const digests = Buffer.from(Uint32Array.of(slotDigest(computed.digests)).buffer);
    this.#post({ kind: 'slot-computed', generation: at.generation, done: { ...value, digests } });
  }

  *#evaluate({ request }: EffectOf<'evaluate'>): Task {
    const sequences = yield* this.#engine.evaluate(request.sequences.map(({ index }) => index));
    this.#link.send({ $case: 'evaluated', value: { step: request.step, sequences } });
  }

  #runExchange({ exchange, isListener, isVoid }: EffectOf<'exchange'>): void {
    const { process, cluster } = this.#options;
    const { term, attempt, step, from } = exchange;
    const { sets } = this.#newestExchange?.attempt === attempt ? this.#newestExchange : exchange;
    if (term === undefined) return;
    const order = { term, attempt, step, sets, from, isVoid, shadow: isListener };
    const streamsChanged = this.#streams.last;
    const exchangeTask = (outcome: ExchangeOutcome): Task =>
      this.#exchangeDone(outcome, { term, attempt, step, isListener });
    const begin = (): Future<ExchangeOutcome> => this.#port.call(() => this.#node.begin(order));
    process.run(
      (function* () {
        yield* wait(process, streamsChanged);
        cluster.world.mark('exchanging', process.id);
        yield* exchangeTask(yield* wait(process, begin()));
      })(),
      (error) => {
        if (this.#abort.aborted) return;
        if (!(error instanceof TermStale)) return cluster.world.crashed(this.#options.workerId, error);
        this.#exchangeEnded({ term, attempt }, true);
      },
    );
  }

  *#exchangeDone(outcome: ExchangeOutcome, at: ExchangeAt): Task {
    const { term, attempt, step, isListener } = at;
    if (outcome.kind !== 'prepared') {
      return this.#exchangeEnded({ term, attempt }, outcome.kind === 'blocked' && isListener);
    }
    yield* this.#copied(step);
    const digest = yield* this.#engine.stateDigest();
    const { gradDigest, gradNorm, report } = outcome.sum;
    const gradient = { step, gradDigest, gradNormBits: String(gradNorm), stateDigest: digest, report };
    this.#post({ kind: 'reduced', term, attempt, gradient, stats: NO_STATS });
  }

  *#copied(step: number): Task {
    if (this.state.phase !== 'copying') return;
    const held = yield* this.#hold(step);
    if (held !== null) this.#catchUp?.holdGradient(step, held);
  }

  #hold(step: number): Task<{ gradDigest: string; sums: readonly number[] } | null> {
    return wait(
      this.#options.process,
      this.#port.call(() => done(() => this.#node.reduced.hold(step))),
    );
  }

  /** A member's complaints were told as they arose; a listener's is told here. */
  #exchangeEnded(which: { term: Term; attempt: number }, isBlocked: boolean): void {
    if (!isBlocked) return this.#post({ kind: 'exchange-ended', ...which });
    const why = 'the exchange could not go on';
    this.#post({ kind: 'blocked', ...which, peer: '', slots: [], part: 0, why });
  }

  #onExchange(event: ExchangeEvent): void {
    const { process, workerId, cluster } = this.#options;
    if (this.#abort.aborted) return;
    process.log(() => `${workerId} exchange: ${JSON.stringify(event)}`);
    switch (event.kind) {
      case 'blocked':
        // Before anybody decides whether the leader hears of it.
        cluster.invariants.blocked(workerId, event.slots, event.why);
        return this.#post(event);
      case 'wrong-set':
        return this.#post(event);
      case 'stripe-pulled': {
        const value = { step: event.position, stripe: 0, stateDigest: this.state.stateDigest };
        return this.#link.send({ $case: 'stored', value });
      }
    }
  }

  *#apply(commit: Commit): Task {
    const { process, cluster, workerId } = this.#options;
    const entry = parseEntry(commit.entry);
    const { step, gradNorm, verdict } = entry.math;
    cluster.invariants.applies(workerId, entry);
    const held = yield* this.#hold(step);
    if (held === null) throw new Error(`the reduced gradient of step ${step} is not here`);
    cluster.world.mark('applying', process.id);
    yield* wait(
      process,
      this.#port.call(() => done(() => this.#node.keeper.secure())),
    );
    const sums = new Map(held.sums.map((sum, part) => [part, sum]));
    const digest = yield* this.#engine.update({
      ...{ step, gradNorm, sums, use: verdict === 'use' },
      stateDigest: this.state.stateDigest,
    });
    this.#post({ kind: 'applied', position: step + 1, stateDigest: digest });
  }

  #keepStripes({ step, stripes }: EffectOf<'keep-stripes'>): void {
    const parts = stripes.flatMap(({ firstPart, endPart }) =>
      Array.from({ length: endPart - firstPart }, (_, i) => firstPart + i),
    );
    const { process } = this.#options;
    this.#inTurn(() =>
      wait(
        process,
        this.#port.call(() => done(() => this.#node.keeper.preserve(step, parts))),
      ),
    );
  }

  #heartbeat(): void {
    if (this.#abort.aborted) return;
    const { computing, position } = this.state;
    const running = computing === null ? [] : [computing.slot];
    this.#link.send({ $case: 'heartbeat', value: { counter: ++this.#beats, position, running } });
    this.#options.process.after(this.#options.cluster.timeouts.heartbeatMs, () => this.#heartbeat());
  }

  #hello(): Hello {
    const { workerId, process, seat, cluster } = this.#options;
    const { state } = this;
    const { reduced, newestVoid } = state;
    const isWhole = state.phase === 'ready';
    const hidesTerm = state.term.number === 0 || cluster.mutants.noTermCheck === true;
    return {
      ...{
        protocolVersion: 1,
        runId: cluster.rules.runId,
        genesis: GENESIS,
        fingerprint: cluster.rules.fingerprint,
      },
      ...{ worker: workerId, address: this.#address, device: 'cpu', host: process.host, pid: 1 },
      position: isWhole ? state.position : 0,
      empty: !isWhole,
      mathHash: isWhole ? state.mathHash : GENESIS,
      stateDigest: isWhole ? state.stateDigest : '',
      has: isWhole ? [...state.has] : [],
      running: isWhole ? runningSlots(state) : [],
      spares: isWhole
        ? [...state.spares].map(([slot, digests]) => ({ slot, digests: Buffer.from(digests) }))
        : [],
      reduced:
        reduced === null || !isWhole
          ? undefined
          : {
              ...reduced,
              digest: reduced.gradDigest,
              report: Buffer.from(reduced.report),
              term: { number: reduced.reducedIn.number, leader: reduced.reducedIn.leader },
              attempt: reduced.reducedIn.attempt,
            },
      newestVoid: newestVoid === null ? undefined : { term: newestVoid, attempt: newestVoid.attempt },
      ...{ entriesFirst: 0, entriesEnd: 0 },
      highestTerm: hidesTerm ? undefined : { ...state.term },
      seat: this.#seatUsed ? '' : seat,
      threads: 1,
    };
  }
}

function* done<T>(act: () => T): Task<T> {
  return act();
}

function entryFacts(entry: LedgerEntry): EntryFacts {
  return {
    step: entry.math.step,
    mathHash: entry.mathHash,
    gradDigest: entry.math.gradDigest,
    followsFrom: (position, mathHash) => mathFollows({ step: position - 1, mathHash }, entry),
  };
}
