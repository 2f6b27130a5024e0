// A worker's time on the run: the shell around decideWorker (apps/worker/src/run-session.ts), with fakes for the
// engine thread, the exchange thread and the wires.
import { PROTOCOL_VERSION, type Exchange, type Hello } from '@cria/protocol';
import { composeHello } from '@cria/worker/decide/compose-hello';
import { entryFacts } from '@cria/worker/decide/entry-facts';
import { decideWorker } from '@cria/worker/decide/worker';
import type { LeaderMessage, WorkerEffect, WorkerEvent } from '@cria/worker/decide/worker-events';
import { newWorkerState, ownSlots, type SlotWork, type WorkerState } from '@cria/worker/decide/worker-state';
import type { Cluster } from '../cluster.js';
import { parseEntry } from '../model/entry-line.js';
import { FLAGGED, GENESIS, slotDigest } from '../model/mathematics.js';
import { Abort, Chain, Future, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import { ControlLink } from './control-link.js';
import { describeMessage } from './describe-message.js';
import { Engine, StateDamaged, type Slip } from './engine.js';
import type { ExchangeEvent } from './exchange-order.js';
import { ExchangeThread } from './exchange-thread.js';
import { ExchangeWork } from './exchange-work.js';
import { Memory } from './memory.js';
import { StateWork } from './state-work.js';

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

export class WorkerSession {
  readonly state: WorkerState;
  readonly memory: Memory;
  readonly #options: SessionOptions;
  readonly #engine: Engine;
  readonly #exchange: ExchangeThread;
  readonly #exchangeWork: ExchangeWork;
  readonly #stateWork: StateWork;
  readonly #link: ControlLink;
  readonly #abort = new Abort();
  readonly #ended = new Future<SessionEnd>();
  readonly #work: Chain;
  readonly #queue: WorkerEvent[] = [];
  #deciding = false;
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
    this.#work = new Chain(process);
    const { state, memory } = this;
    const common = { cluster, process, workerId, memory };
    this.#exchange = new ExchangeThread({
      ...common,
      onEvent: (event) => this.#onExchange(event),
      onSettled: (outcome) => this.#check(outcome),
    });
    const work = {
      ...{ ...common, state, engine: this.#engine, exchange: this.#exchange, abort: this.#abort },
      post: (event: WorkerEvent): void => this.#post(event),
    };
    this.#stateWork = new StateWork(work);
    this.#exchangeWork = new ExchangeWork({ ...work, stateWork: this.#stateWork });
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
    cluster.peers.set(this.#address, { process, serves: this.#exchange.source });
    cluster.invariants.sessionBegan(workerId, this);
    this.#heartbeat();
    process.run(this.#link.run(this.#abort), (error) => {
      if (!this.#abort.aborted) cluster.world.crashed(process.id, error);
    });
    try {
      return yield* wait(process, this.#ended);
    } finally {
      this.#abort.abort('the session is over');
      this.#stateWork.stop();
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
    if (message.$case === 'welcome') {
      this.#link.learn(message.value.coordinators);
      this.#useSeat();
    }
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

  #useSeat(): void {
    if (this.#seatUsed) return;
    this.#seatUsed = true;
    this.#options.welcomed();
  }

  #carryOut(effect: WorkerEffect): void {
    switch (effect.do) {
      case 'hello':
        return this.#sayHello(effect.why);
      case 'send':
        return this.#send(effect);
      case 'make-state':
        return this.#inTurn(() => this.#stateWork.make());
      case 'load-state':
        return this.#inTurn(() => this.#stateWork.load(effect.welcome));
      case 'copy-state':
        return this.#inTurn(this.#stateWork.copy(effect.welcome));
      case 'copy-commit':
        return this.#stateWork.heard(parseEntry(effect.commit.entry));
      case 'apply':
        return this.#inTurn(() => this.#stateWork.apply(parseEntry(effect.commit.entry)));
      case 'read-state':
        return this.#inTurn(() => this.#stateWork.read());
      case 'keep-stripes':
        return this.#keepStripes(effect);
      case 'compute':
        return this.#compute(effect);
      case 'evaluate':
        return this.#inTurn(() => this.#evaluate(effect));
      case 'begin-accumulator':
        return this.#exchange.beginAccumulator(this.state.position);
      case 'drop-accumulator':
      case 'cancel-exchange':
        return this.#exchange.endStreams();
      case 'drop-entries':
        return this.#exchange.dropEntries(effect.before);
      case 'drop-reduced':
        return this.#exchange.dropReduced(this.state.position);
      case 'exchange':
        return this.#runExchange(effect);
      case 'leave-run':
        return this.#ended.resolve({ why: effect.why, mayReturn: effect.mayReturn });
    }
  }

  #inTurn(act: () => Task): void {
    this.#work.push(act).onSettled((outcome) => this.#check(outcome));
  }

  #check(outcome: { value: unknown } | { error: unknown }): void {
    if (!('error' in outcome) || this.#abort.aborted) return;
    if (outcome.error instanceof StateDamaged) return this.#options.process.kill();
    this.#options.cluster.world.crashed(this.#options.workerId, outcome.error);
  }

  #send({ message }: EffectOf<'send'>): void {
    const { process, workerId, cluster } = this.#options;
    process.log(() => `${workerId} -> ${describeMessage(message)}`);
    cluster.world.mark(`worker -> ${message.$case}`, process.id);
    this.#link.send(message);
  }

  #compute({ work, first, generation }: EffectOf<'compute'>): void {
    const step = this.state.position;
    const streamsEnded = this.#exchange.changed;
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
    if (!spare) yield* this.#exchange.slotDone(at.step, computed);
    const { slot, loss, computeMs } = computed;
    const value = { step: at.step, slot, flagged: loss === FLAGGED, lossBits: loss, computeMs, spare };
    const digests = Buffer.from(Uint32Array.of(slotDigest(computed.digests)).buffer);
    this.#post({ kind: 'slot-computed', generation: at.generation, done: { ...value, digests } });
  }

  *#evaluate({ request }: EffectOf<'evaluate'>): Task {
    const sequences = yield* this.#engine.evaluate(request.sequences.map(({ index }) => index));
    this.#link.send({ $case: 'evaluated', value: { step: request.step, sequences } });
  }

  #runExchange(effect: EffectOf<'exchange'>): void {
    const isNewest = this.#newestExchange?.attempt === effect.exchange.attempt;
    const { sets } = (isNewest ? this.#newestExchange : null) ?? effect.exchange;
    this.#exchangeWork.run(effect, sets);
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

  #keepStripes({ step, stripes }: EffectOf<'keep-stripes'>): void {
    const parts = stripes.flatMap(({ firstPart, endPart }) =>
      Array.from({ length: endPart - firstPart }, (_, i) => firstPart + i),
    );
    this.#inTurn(() => this.#exchange.preserve(step, parts));
  }

  #heartbeat(): void {
    if (this.#abort.aborted) return;
    const { computing, position } = this.state;
    const running = computing === null ? [] : [computing.slot];
    this.#link.send({ $case: 'heartbeat', value: { counter: ++this.#beats, position, running } });
    this.#options.process.after(this.#options.cluster.timeouts.heartbeatMs, () => this.#heartbeat());
  }

  #sayHello(why: string): void {
    const { process, workerId } = this.#options;
    process.log(() => `${workerId} hello at ${this.state.position} (${this.state.phase}): ${why}`);
    this.#link.send({ $case: 'hello', value: this.#hello() });
  }

  #hello(): Hello {
    const { workerId, process, seat, cluster } = this.#options;
    const { runId, fingerprint } = cluster.rules;
    const identity = {
      ...{
        protocolVersion: PROTOCOL_VERSION,
        runId,
        genesis: GENESIS,
        fingerprint,
        worker: workerId,
        address: this.#address,
      },
      ...{ device: 'cpu', host: process.host, pid: 1, threads: 1, version: '' },
      seat: this.#seatUsed ? '' : seat,
    };
    const hello = composeHello(identity, this.state);
    return cluster.mutants.noTermCheck === true ? { ...hello, highestTerm: undefined } : hello;
  }
}
