// Puts one coordinator process together: stores, services, the coordinator, run.json.
import { PROTOCOL_VERSION, gridBitsOf, type DescribeReply } from '@cria/protocol';
import type { Desired, RedisConnection } from '@cria/queue';
import {
  CriaError,
  sleep,
  systemClock,
  type CoordinatorId,
  type Log,
  type ResourceStack,
} from '@cria/runtime';
import { join } from 'node:path';
import { CheckpointKeeper } from './checkpoint/checkpoint-keeper.js';
import { startCheckpointServer } from './checkpoint/checkpoint-server.js';
import { FetchStatePuller } from './checkpoint/fetch-state-puller.js';
import { Coordinator, type RunEnd } from './coordinator.js';
import { dashboardDirectory } from './http/dashboard-directory.js';
import { createHttpServer, type HttpServer } from './http/server.js';
import { TokenFeed } from './lead/token-feed.js';
import { RunRecorder } from './metrics/run-recorder.js';
import type { CoordinatorOptions, RunFile, RunOutcome } from './options.js';
import {
  checkpointFiles,
  mathematicalConfig,
  partsOf,
  validationCount,
  type PreparedRun,
} from './prepare-run.js';
import { ControlServer } from './rpc/control-server.js';
import type { RunContext } from './run-context.js';
import { writeRunFile } from './run-file.js';
import { StatusView } from './status-view.js';

const STATUS_MS = 1000;

export interface Serving {
  readonly options: CoordinatorOptions;
  readonly signal: AbortSignal;
  readonly stack: ResourceStack;
  readonly id: CoordinatorId;
  readonly log: Log;
}

/** The parts of one coordinator process and how they hang together. */
export class CoordinatorProcess {
  coordinator!: Coordinator;
  readonly #serving: Serving;
  readonly #redis: RedisConnection;
  readonly #run: PreparedRun;
  readonly #before: RunFile | null;
  readonly #startedWallMs = systemClock.wallMs();
  readonly #startedMs = systemClock.monotonicMs();
  #context!: RunContext;
  #http!: HttpServer;
  #view!: StatusView;
  #end: { ending: 'finished' | 'stopped' | 'failed'; reason: string } | null = null;
  #outcome: RunOutcome | null = null;
  #firstStep = 0;
  #activeBeforeMs = 0;

  constructor(serving: Serving, redis: RedisConnection, run: PreparedRun, before: RunFile | null) {
    this.#serving = serving;
    this.#redis = redis;
    this.#run = run;
    this.#before = before;
  }

  async start(): Promise<void> {
    const { options, stack, log } = this.#serving;
    const recorder = new RunRecorder({
      outDir: options.outDir,
      clock: systemClock,
      log,
      parameters: this.#run.layout.numel,
    });
    await recorder.open();
    stack.defer('metrics', () => recorder.close());
    this.#activeBeforeMs = recorder.activeMs;
    this.#firstStep = recorder.history.endStep;
    await this.#buildContext(recorder);
    await this.#serveHttp();
    this.coordinator = new Coordinator({
      context: this.#context,
      runName: this.#run.name,
      redis: this.#redis,
      initialDesired: this.#initialDesired(),
      httpAddress: this.#http.address.replace(/^http:\/\//, ''),
      clock: systemClock,
      log,
    });
    recorder.event(
      options.resume ? 'run-resumed' : 'run-started',
      recorder.history.endStep,
      this.#startText(),
    );
    this.#writeRunFile();
    void this.#publishStatus(recorder);
  }

  /** Writes how the run ended where commands look for it. Throws when it failed. */
  async ended(end: RunEnd): Promise<RunOutcome> {
    const { recorder } = this.#context;
    const failed = end.kind === 'failed';
    const ending = failed ? 'failed' : end.ending;
    const reason = failed ? end.error.message : end.reason;
    this.#end = { ending, reason };
    const kinds = { finished: 'run-finished', stopped: 'run-stopped', failed: 'run-failed' } as const;
    recorder.event(kinds[ending], recorder.history.endStep, reason === '' ? `the run has ${ending}` : reason);
    if (ending === 'failed') {
      this.#writeRunFile();
      throw failed ? end.error : new CriaError('RUN_FAILED', reason);
    }
    this.#outcome = await this.#outcomeNow();
    this.#writeRunFile();
    return this.#outcome;
  }

  async #buildContext(recorder: RunRecorder): Promise<void> {
    const { options, stack, id, log } = this.#serving;
    const run = this.#run;
    const { config, outDir } = options;
    const endStep = Math.min(config.budget.steps, options.stopAfterSteps ?? Infinity);
    const control = new ControlServer({
      host: options.listenHost,
      port: options.grpcPort,
      log,
      describe: () => this.#describe(),
    });
    const port = await control.start();
    stack.defer('control service', () => control.stop());
    const peer = await startCheckpointServer({
      store: run.store,
      layout: run.layout,
      runId: run.runId,
      host: options.listenHost,
    });
    stack.defer('checkpoint service', () => peer.stop());
    const puller = new FetchStatePuller({ runId: run.runId, self: id });
    stack.defer('checkpoint pulls', () => puller.close());
    const { dataset, layout, store, runId, genesis } = run;
    const { globalBatch, sequenceLength } = config.budget;
    const checkpoints = new CheckpointKeeper({
      ...{ store, layout, runId, genesis, puller, log, clock: systemClock },
      keep: config.checkpoint.keep,
      files: checkpointFiles(config),
      onRejected: (step, text) => {
        log.warn({ step }, text);
        recorder.event('damage-found', step, text);
      },
      fingerprints: { engine: options.engineFingerprint, data: dataset.fingerprint, parent: null },
      mathConfig: mathematicalConfig(config),
      tokensPerStep: globalBatch * sequenceLength,
      ledgerPath: join(outDir, 'ledger.jsonl'),
    });
    this.#context = {
      ...{ runId, genesis, config, layout, endStep, outDir, control, checkpoints, recorder, log },
      fingerprint: options.engineFingerprint,
      numParts: partsOf(layout),
      gridBits: gridBitsOf(config),
      validationSequences: validationCount(config, dataset),
      coordinatorId: id,
      controlAddress: `${options.listenHost}:${port}`,
      peerAddress: peer.address,
      tokens: new TokenFeed({ dataset, globalBatch, slots: config.slots }),
      clock: systemClock,
      coordinators: () => this.#coordinatorAddresses(),
    };
  }

  async #serveHttp(): Promise<void> {
    const { options, stack, log } = this.#serving;
    this.#view = new StatusView({
      context: this.#context,
      runName: this.#run.name,
      token: this.#run.token,
      wish: async (change) => void (await this.coordinator.desired.update(change)),
      startedWallMs: this.#startedWallMs,
      leadership: () => this.coordinator?.leadership ?? null,
      ended: () => this.#end,
      leader: () => this.coordinator?.leader ?? { id: '', term: 0 },
      coordinators: () => this.#coordinatorViews(),
      checkpoints: () => this.#context.checkpoints.views(),
    });
    this.#http = await createHttpServer({
      view: this.#view,
      staticDir: dashboardDirectory(),
      host: options.listenHost,
      port: options.httpPort,
      clock: systemClock,
      log,
    });
    stack.defer('http', () => this.#http.stop());
  }

  #describe(): DescribeReply {
    const { config } = this.#serving.options;
    const { fingerprint, genesis, runId, gridBits } = this.#context;
    return {
      protocolVersion: PROTOCOL_VERSION,
      runId,
      runName: this.#run.name,
      configJson: JSON.stringify(config),
      genesis,
      fingerprint,
      leaderAddress: this.coordinator?.leader.address ?? '',
      coordinators: this.#coordinatorAddresses(),
      coordinator: this.#serving.id,
      gridBits,
    };
  }

  #coordinatorAddresses(): string[] {
    const others = (this.coordinator?.seen ?? []).map((seen) => seen.address);
    return [...new Set([this.#context.controlAddress, ...others])];
  }

  #coordinatorViews(): Array<{ id: string; pid: number; address: string; leader: boolean }> {
    const leader = this.coordinator?.leader.id ?? '';
    const self = { id: this.#serving.id as string, pid: process.pid, address: this.#context.controlAddress };
    const others = (this.coordinator?.seen ?? []).filter((seen) => seen.id !== self.id);
    return [self, ...others].map(({ id, pid, address }) => ({ id, pid, address, leader: id === leader }));
  }

  /**
   * What is wanted of the run, should Redis not know. A coordinator that was started again while the run goes on takes
   * over what stood in run.json; a run that had ended begins anew with the configuration's target.
   */
  #initialDesired(): Desired {
    const { target } = this.#serving.options.config.workers;
    const before = this.#before?.runId === this.#run.runId ? this.#before : null;
    if (before === null) return { revision: 1, target, paused: false, stop: false };
    const goesOn = before.phase === 'running' || before.phase === 'paused';
    if (goesOn && this.#serving.options.restarted) return before.desired;
    return { revision: before.desired.revision + 1, target, paused: false, stop: false };
  }

  #startText(): string {
    const { config } = this.#serving.options;
    const { steps, sequenceLength, globalBatch } = config.budget;
    return `${this.#run.name}: ${steps} steps of ${globalBatch} x ${sequenceLength} tokens, ${this.#run.layout.numel} parameters`;
  }

  async #publishStatus(recorder: RunRecorder): Promise<void> {
    const { signal } = this.#serving;
    let revision = -1;
    while (!signal.aborted && this.#end === null) {
      recorder.status(this.#view.status());
      if (this.coordinator.wanted.revision !== revision) {
        revision = this.coordinator.wanted.revision;
        this.#writeRunFile();
      }
      await sleep(systemClock, STATUS_MS, signal).catch(() => undefined);
    }
    recorder.status(this.#view.status());
  }

  async #outcomeNow(): Promise<RunOutcome> {
    const { recorder, checkpoints, config, runId } = this.#context;
    const manifest = checkpoints.newest;
    if (manifest === null) throw new CriaError('CHECKPOINT_MISSING', 'the run ended without a checkpoint');
    const tokensPerStep = config.budget.globalBatch * config.budget.sequenceLength;
    const activeMs = recorder.activeMs - this.#activeBeforeMs;
    const trained = Math.max(0, manifest.step - this.#firstStep) * tokensPerStep;
    return {
      run: this.#run.name,
      runId,
      steps: manifest.step,
      tokens: manifest.step * tokensPerStep,
      loss: recorder.history.last()?.loss ?? null,
      valLoss: recorder.valLoss,
      mathHash: manifest.mathHash,
      opsHash: manifest.opsHash,
      checkpoint: checkpoints.views().find((view) => view.step === manifest.step)?.path ?? '',
      modelSha256: manifest.modelSha256,
      stateSha256: manifest.stateSha256,
      tokensPerSecond: activeMs > 0 ? Math.round((1000 * trained) / activeMs) : 0,
      wallMs: Math.round(systemClock.monotonicMs() - this.#startedMs),
    };
  }

  #writeRunFile(): void {
    const { options } = this.#serving;
    const { revision, target, paused, stop } = this.coordinator.wanted;
    const views = this.#coordinatorViews();
    const seen = new Map(this.coordinator.seen.map((one) => [one.id as string, one.httpAddress ?? '']));
    const ownHttp = this.#http.address.replace(/^http:\/\//, '');
    writeRunFile(options.outDir, {
      run: this.#run.name,
      runId: this.#run.runId,
      genesis: this.#run.genesis,
      redisUrl: options.redisUrl,
      phase: this.#end?.ending ?? (paused ? 'paused' : 'running'),
      desired: { revision, target, paused, stop },
      coordinators: views.map(({ id, pid, address }) => ({
        id,
        pid,
        grpcAddress: address,
        httpAddress: id === this.#serving.id ? ownHttp : (seen.get(id) ?? ''),
      })),
      token: this.#run.token,
      outcome: this.#outcome,
      failure: this.#end?.ending === 'failed' ? this.#end.reason : null,
    });
  }
}
