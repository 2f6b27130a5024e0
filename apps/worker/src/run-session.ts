// A worker's time on one run: feeds events to decideWorker and carries out what it says, over the engine thread, the
// exchange thread and the control stream.
import { hostname } from 'node:os';
import {
  ExchangeThread,
  clearPosition,
  createTrainingState,
  DEFAULT_TIMINGS,
  type SharedTrainingState,
} from '@cria/collective';
import { parseLine } from '@cria/ledger';
import { fingerprintText, parameterLayout } from '@cria/model';
import { PROTOCOL_VERSION, type Commit, type Hello, type RunConfig, type Welcome } from '@cria/protocol';
import type { TakenSeat } from '@cria/queue';
import {
  CriaError,
  criaVersion,
  hasFaultPoints,
  pauseAt,
  threadEntry,
  type Clock,
  type Log,
} from '@cria/runtime';
import { composeHello } from './decide/compose-hello.js';
import { entryFacts } from './decide/entry-facts.js';
import { decideWorker } from './decide/worker.js';
import type { WorkerEffect, WorkerEvent } from './decide/worker-events.js';
import { newWorkerState, type SlotWork, type WorkerState } from './decide/worker-state.js';
import { GpuWatch } from './gpu-watch.js';
import { ControlLink, type LeaderMessage } from './rpc/control-link.js';
import { EngineClient } from './train/engine-client.js';
import { Exchanges } from './train/exchanges.js';
import { describeDevice, engineOptions, expectSameEngine } from './train/engine-options.js';
import { evaluateSequences } from './train/evaluate.js';
import { StateSource } from './train/state-source.js';
import { tokensOf } from './train/tokens.js';
import type { WorkerOptions } from './options.js';

export interface RunFacts {
  readonly runId: string;
  readonly runName: string;
  readonly genesis: string;
  /** The fingerprint that the run demands. */
  readonly fingerprint: string;
  readonly gridBits: number;
  readonly config: RunConfig;
}

export interface SessionOptions {
  readonly workerId: string;
  readonly facts: RunFacts;
  readonly seat: TakenSeat;
  readonly options: WorkerOptions;
  /** Addresses of coordinators, as Redis knows them. */
  readonly lookUp: () => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Why the worker left the run. */
export interface SessionEnd {
  readonly why: string;
  readonly mayReturn: boolean;
}

const VERSION = criaVersion();

export class RunSession {
  readonly #options: SessionOptions;
  readonly #state: WorkerState;
  readonly #shared: SharedTrainingState;
  readonly #engine: EngineClient;
  readonly #exchange: ExchangeThread;
  readonly #source: StateSource;
  readonly #exchanges: Exchanges;
  readonly #link: ControlLink;
  readonly #gpu: GpuWatch;
  readonly #abort = new AbortController();
  readonly #ended: Promise<SessionEnd>;
  readonly #queue: WorkerEvent[] = [];
  #resolveEnded!: (end: SessionEnd) => void;
  #rejectEnded!: (error: unknown) => void;
  #deciding = false;
  #address = '';
  #seatUsed = false;
  #beats = 0;
  /** Order of changes to the accumulator and the state. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
    const { workerId, facts, clock, log, seat, lookUp } = options;
    this.#state = newWorkerState(workerId, facts.genesis);
    this.#shared = createTrainingState(parameterLayout(facts.config.model).paddedSize);
    clearPosition(this.#shared);
    this.#ended = new Promise((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    const onFailure = (error: Error): void => this.#rejectEnded(error);
    this.#engine = new EngineClient(onFailure);
    this.#exchange = new ExchangeThread({ onEvent: (event) => this.#exchanges.heard(event), onFailure });
    this.#source = new StateSource({
      ...{ engine: this.#engine, exchange: this.#exchange, state: this.#shared, clock, log },
      genesis: facts.genesis,
      signal: this.#abort.signal,
      post: (event) => this.#post(event),
    });
    this.#gpu = new GpuWatch({ device: options.options.device, clock, log });
    this.#exchanges = new Exchanges({
      ...{ thread: this.#exchange, engine: this.#engine, source: this.#source, gpu: this.#gpu, log },
      state: this.#state,
      signal: this.#abort.signal,
      post: (event) => this.#post(event),
      send: (message) => this.#link.send(message),
      fail: (error) => this.#rejectEnded(error),
    });
    const { suspectMs, orphanMs } = facts.config.timeouts;
    this.#link = new ControlLink({
      ...{ runId: facts.runId, coordinators: seat.addresses, silenceMs: suspectMs, orphanMs, clock, log },
      lookUp,
      onConnected: () => this.#post({ kind: 'connected' }),
      onDisconnected: (why) => {
        log.info({ why }, 'control stream lost');
        this.#post({ kind: 'disconnected' });
      },
      onMessage: (message) => this.#onMessage(message),
      onWritten: (message) => {
        if (message.$case === 'prepare') pauseAt('prepared', message.value.step);
      },
    });
  }

  /** Serves the run until it is told to leave. On abort it leaves cleanly: its slots first, then the stream. */
  async run(signal: AbortSignal): Promise<SessionEnd> {
    const onAbort = (): void => this.#post({ kind: 'leave', why: 'told to end' });
    try {
      await this.#open();
      if (signal.aborted) return { why: 'told to end', mayReturn: true };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#heartbeat();
      this.#gpu.start();
      const linked = this.#link.run(this.#abort.signal).then(() => ({ why: 'left', mayReturn: true }));
      return await Promise.race([this.#ended, linked]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#abort.abort();
      this.#source.stop();
      this.#gpu.stop();
      await Promise.allSettled([this.#exchange.stop(), this.#engine.close()]);
    }
  }

  async #open(): Promise<void> {
    const { facts, options, workerId, log } = this.#options;
    const { config, gridBits } = facts;
    const state = this.#shared;
    const opened = await this.#engine.open({
      engine: engineOptions(config, facts.fingerprint, options),
      optimizer: config.optimizer,
      steps: config.budget.steps,
      slots: config.slots,
      gridBits,
      seed: config.seed,
      state,
    });
    const ours = fingerprintText(opened.fingerprint);
    expectSameEngine(facts, ours);
    log.info({ engine: opened.description }, 'engine ready');
    const tap = { url: threadEntry(import.meta.url, './faults/frame-tap').href, data: null };
    const faults = hasFaultPoints ? { tap } : {};
    this.#address = await this.#exchange.start({ listen: { host: options.listenHost, port: 0 }, ...faults });
    const timings = { ...DEFAULT_TIMINGS, stallMs: config.timeouts.suspectMs };
    await this.#exchange.configure({
      runId: facts.runId,
      workerId,
      slots: config.slots,
      gridBits,
      state,
      timings,
    });
  }

  #post(event: WorkerEvent): void {
    if (this.#abort.signal.aborted) return;
    this.#queue.push(event);
    if (this.#deciding) return;
    this.#deciding = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of decideWorker(this.#state, next)) this.#carryOut(effect);
      }
    } finally {
      this.#deciding = false;
    }
  }

  #onMessage(message: LeaderMessage): void {
    if (message.$case === 'welcome') this.#onWelcome(message.value);
    if (message.$case === 'heartbeat') this.#link.learn(message.value.coordinators);
    const entry = message.$case === 'commit' ? entryFacts(parseLine(message.value.entry, 'Commit')) : null;
    this.#post({ kind: 'message', message, entry });
  }

  #onWelcome(welcome: Welcome): void {
    this.#link.learn(welcome.coordinators);
    if (this.#seatUsed) return;
    this.#seatUsed = true;
    this.#options.seat.welcomed().catch((error: unknown) => {
      this.#options.log.warn({ error: String(error) }, 'the invitation could not be completed');
    });
  }

  #carryOut(effect: WorkerEffect): void {
    switch (effect.do) {
      case 'hello':
        this.#options.log.info({ why: effect.why, position: this.#state.position }, 'hello');
        return this.#link.send({ $case: 'hello', value: this.#hello() });
      case 'send':
        return this.#link.send(effect.message);
      case 'make-state':
        return this.#inTurn(() => this.#source.make());
      case 'load-state':
        return this.#inTurn(() => this.#source.load(effect.welcome));
      case 'copy-state':
        return this.#inTurn(this.#source.copy(effect.welcome));
      case 'compute':
        return this.#compute(effect);
      case 'begin-accumulator':
        return this.#exchanges.beginAccumulator(this.#state.position);
      case 'drop-accumulator':
      case 'cancel-exchange':
        return this.#exchanges.endStreams();
      case 'evaluate':
        return this.#inTurn(() => this.#evaluate(effect));
      case 'exchange':
        return this.#exchanges.run(effect);
      case 'drop-reduced':
        return this.#exchanges.dropReduced(this.#state.position);
      case 'drop-entries':
        return this.#exchanges.dropEntries(effect.before);
      case 'apply':
        return this.#inTurn(() => this.#apply(effect.commit));
      case 'copy-commit':
        return this.#source.commit(parseLine(effect.commit.entry, 'Commit'));
      case 'keep-stripes':
        return this.#keepStripes(effect);
      case 'read-state':
        return this.#inTurn(() => this.#readState());
      case 'leave-run':
        return this.#resolveEnded({ why: effect.why, mayReturn: effect.mayReturn });
    }
  }

  /** One thing after the other: what changes the accumulator or the state must not overlap. */
  #inTurn(act: () => Promise<void>): void {
    this.#work = this.#work.then(act).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#rejectEnded(error);
    });
  }

  async #readState(): Promise<void> {
    const { position } = this.#state;
    this.#post({ kind: 'state-read', position, stateDigest: await this.#engine.stateDigest() });
  }

  #compute({ work, first, generation }: Extract<WorkerEffect, { do: 'compute' }>): void {
    const step = this.#state.position;
    const { settled } = this.#exchanges;
    this.#inTurn(async () => {
      await settled;
      await this.#computeSlot(work, { first, generation, step });
    });
  }

  async #computeSlot(
    work: SlotWork,
    at: { first: boolean; generation: number; step: number },
  ): Promise<void> {
    const { config } = this.#options.facts;
    const sequences = config.budget.globalBatch / config.slots;
    pauseAt('computing', at.step);
    const { step } = at;
    const tokensOfSlot = tokensOf(work.tokens);
    const { slot, spare } = work;
    const order = { tokens: tokensOfSlot, sequences, clear: at.first, step, slot, spare };
    const computed = await this.#engine.slot(order);
    // Dropped meanwhile: it must not be counted into what the accumulator holds next.
    if (!spare && at.generation !== this.#state.generation) return;
    const { digests, flagged, lossBits, computeMs } = computed;
    const tokens = sequences * config.budget.sequenceLength;
    if (!spare) await this.#exchange.slotDone(step, { slot, lossBits, tokens, flagged, digests });
    const done = {
      ...{ step, slot, flagged, lossBits, computeMs, spare },
      digests: Buffer.from(digests.buffer, digests.byteOffset, digests.byteLength),
    };
    this.#post({ kind: 'slot-computed', generation: at.generation, done });
  }

  async #evaluate({ request }: Extract<WorkerEffect, { do: 'evaluate' }>): Promise<void> {
    const { budget, slots } = this.#options.facts.config;
    for await (const sequences of evaluateSequences(this.#engine, request, budget.globalBatch / slots)) {
      this.#link.send({ $case: 'evaluated', value: { step: request.step, sequences } });
    }
  }

  async #apply(commit: Commit): Promise<void> {
    const entry = parseLine(commit.entry, 'Commit');
    const { step, gradNorm, verdict } = entry.math;
    const held = await this.#exchange.holdReduced(step);
    if (held === null)
      throw new CriaError('STATE_DAMAGED', `the reduced gradient of step ${step} is not here`);
    pauseAt('applying', step);
    await this.#exchange.secureStripe();
    const parts = [...held.parts.keys()];
    const { stateDigest } = await this.#engine.update({
      step,
      gradNorm,
      parts,
      packed: held.parts,
      use: verdict === 'use',
      stateDigest: this.#state.stateDigest,
    });
    await this.#exchange.releaseReduced(held);
    await this.#exchange.keepEntry(step, commit.entry);
    this.#post({ kind: 'applied', position: step + 1, stateDigest });
  }

  #keepStripes({ step, stripes }: Extract<WorkerEffect, { do: 'keep-stripes' }>): void {
    const parts = stripes.flatMap(({ firstPart, endPart }) =>
      Array.from({ length: endPart - firstPart }, (_, i) => firstPart + i),
    );
    this.#inTurn(() => this.#exchange.preserve(step, parts));
  }

  #heartbeat(): void {
    if (this.#abort.signal.aborted) return;
    const { computing, position } = this.#state;
    const running = computing === null ? [] : [computing.slot];
    this.#link.send({ $case: 'heartbeat', value: { counter: ++this.#beats, position, running } });
    this.#options.clock.timer(this.#options.facts.config.timeouts.heartbeatMs, () => this.#heartbeat());
  }

  #hello(): Hello {
    const { facts, workerId, options, seat } = this.#options;
    const { runId, genesis, fingerprint } = facts;
    const identity = {
      ...{ runId, genesis, fingerprint, worker: workerId, address: this.#address, threads: options.threads },
      ...{ protocolVersion: PROTOCOL_VERSION, host: hostname(), pid: process.pid, version: VERSION },
      device: describeDevice(options),
      seat: this.#seatUsed ? '' : seat.jobId,
    };
    return composeHello(identity, this.#state);
  }
}
