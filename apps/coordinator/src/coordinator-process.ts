// Puts one coordinator process together: services, the coordinator, what it shows of itself.
import { PROTOCOL_VERSION, type DescribeReply } from '@cria/protocol';
import type { Desired, RedisConnection } from '@cria/queue';
import { CriaError, sleep, systemClock } from '@cria/runtime';
import { dirname, resolve } from 'node:path';
import { buildContext, type Serving } from './build-context.js';
import { LeaderView } from './cluster/leader-view.js';
import { RunFileKeeper, type CoordinatorPlace } from './cluster/run-file-keeper.js';
import { outcomeOf, outcomeOfAnother, type LifeStart } from './cluster/run-outcome.js';
import { Coordinator, type EndElsewhere, type RunEnd } from './coordinator.js';
import { dashboardDirectory } from './http/dashboard-directory.js';
import type { RunStatus } from './http/run-view.js';
import { createHttpServer, type HttpServer } from './http/server.js';
import { AlertWatch } from './metrics/alert-watch.js';
import { QueueWatch } from './metrics/queue-watch.js';
import { flopsOf, freeBytesOf, thresholdsOf } from './metrics/watching.js';
import { RunRecorder } from './metrics/run-recorder.js';
import type { RunOutcome } from './options.js';
import type { PreparedRun } from './prepare-run.js';
import { DirectoryCatalog } from './runs/run-catalog.js';
import type { RunContext } from './run-context.js';
import { StatusView } from './status-view.js';

export type { Serving } from './build-context.js';

const STATUS_MS = 1000;

/** To one Redis: what a leader has to be answered in time, and seats and shards. */
export interface Connections {
  readonly redis: RedisConnection;
  readonly queues: RedisConnection;
}

/** The parts of one coordinator process and how they hang together. */
export class CoordinatorProcess {
  coordinator!: Coordinator;
  readonly #serving: Serving;
  readonly #connections: Connections;
  readonly #run: PreparedRun;
  readonly #startedWallMs = systemClock.wallMs();
  readonly #runFile: RunFileKeeper;
  readonly #queues: QueueWatch;
  #context!: RunContext;
  #http!: HttpServer;
  #view!: StatusView;
  #leaderView!: LeaderView;
  #start: LifeStart = { startedMs: systemClock.monotonicMs(), firstStep: 0, activeMs: 0 };
  #alerts!: AlertWatch;
  #endedWallMs: number | null = null;
  #end: { ending: 'finished' | 'stopped' | 'failed'; reason: string } | null = null;
  #outcome: RunOutcome | null = null;

  constructor(serving: Serving, connections: Connections, run: PreparedRun) {
    this.#serving = serving;
    this.#connections = connections;
    this.#run = run;
    const { outDir, redisUrl } = serving.options;
    const { name, runId, genesis, token } = run;
    this.#queues = new QueueWatch(connections.queues, runId);
    this.#runFile = new RunFileKeeper(outDir, { run: name, runId, genesis, redisUrl, token });
  }

  async start(): Promise<void> {
    const { options, stack, log, signal } = this.#serving;
    const recorder = new RunRecorder({
      outDir: options.outDir,
      clock: systemClock,
      log,
      parameters: this.#run.layout.numel,
      ...flopsOf(options.config),
      onStep: (row) => this.#alerts.step(row),
    });
    await recorder.open();
    stack.defer('metrics', () => recorder.close());
    await this.#openAlerts(recorder);
    this.#start = {
      ...this.#start,
      firstStep: recorder.history.endStep,
      activeMs: recorder.history.last()?.activeMs ?? 0,
    };
    const hooks = { describe: () => this.#describe(), coordinators: () => this.#coordinatorAddresses() };
    this.#context = await buildContext(this.#serving, this.#run, { recorder, hooks });
    const leaderAddress = (): string | null => this.coordinator?.leaderHttpAddress ?? null;
    this.#leaderView = new LeaderView({ runId: this.#run.runId, clock: systemClock, log, leaderAddress });
    await this.#serveHttp();
    this.coordinator = new Coordinator({
      context: this.#context,
      run: this.#run.record,
      ...this.#connections,
      ...this.#memoryOfTheRun(),
      httpAddress: this.#ownHttpAddress,
      onLeads: (begins) => this.#leads(begins),
      onEnded: (end) => this.#ended(end),
      clock: systemClock,
      log,
    });
    void this.#leaderView.follow(signal);
    void this.#publishStatus(recorder);
  }

  /** How the run ended; also where another led it there. Throws when it failed. */
  outcomeOf(end: RunEnd | EndElsewhere): RunOutcome | null {
    if (end.kind === 'ended-elsewhere') return outcomeOfAnother(this.#serving.options.outDir);
    if (end.kind === 'failed') throw end.error;
    if (end.ending === 'failed') throw new CriaError('RUN_FAILED', end.reason);
    return this.#outcome;
  }

  /** Only a leader writes: events have one order, run.json one view. */
  #leads(begins: boolean): void {
    const { recorder } = this.#context;
    if (begins) {
      const kind = this.#serving.options.resume ? 'run-resumed' : 'run-started';
      recorder.event(kind, recorder.history.endStep, this.#startText());
    }
    this.#runFile.forget();
    this.#writeRunFile();
  }

  /** Writes how the run ended where commands look for it. */
  #ended(end: RunEnd): void {
    const { recorder } = this.#context;
    const failed = end.kind === 'failed';
    const ending = failed ? 'failed' : end.ending;
    const reason = failed ? end.error.message : end.reason;
    if (ending !== 'failed') this.#outcome = outcomeOf(this.#context, this.#run.name, this.#start);
    this.#end = { ending, reason };
    this.#endedWallMs = systemClock.wallMs();
    const kinds = { finished: 'run-finished', stopped: 'run-stopped', failed: 'run-failed' } as const;
    recorder.event(kinds[ending], recorder.history.endStep, reason === '' ? `the run has ${ending}` : reason);
    this.#writeEnd(ending === 'failed');
  }

  /** What made the run fail, often the same disk, is what there is to tell then. */
  #writeEnd(hasFailed: boolean): void {
    try {
      this.#writeRunFile();
    } catch (error) {
      if (!hasFailed) throw error;
      this.#serving.log.error({ error: String(error) }, 'run.json does not say how the run ended');
    }
  }

  async #openAlerts(recorder: RunRecorder): Promise<void> {
    const { options, stack, log } = this.#serving;
    const { alerts } = options.config;
    const { name, runId } = this.#run;
    this.#alerts = new AlertWatch({
      outDir: options.outDir,
      run: { run: name, runId },
      thresholds: thresholdsOf(alerts),
      webhook: alerts.webhook === null ? null : { url: alerts.webhook, format: alerts.webhookFormat },
      clock: systemClock,
      log,
      onChange: (alert) => recorder.alert(alert),
    });
    await this.#alerts.open();
    stack.defer('alerts', () => this.#alerts.close());
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
      leaderStatus: () => this.#leaderView.status,
      ended: () => this.#end,
      leader: () => this.coordinator?.leader ?? { id: '', term: 0 },
      trouble: () => this.coordinator?.trouble ?? null,
      coordinators: () => this.#coordinatorViews(),
      checkpoints: () => this.#context.checkpoints.views(),
      alerts: this.#alerts,
      endedWallMs: () => this.#endedWallMs,
    });
    const catalog = new DirectoryCatalog({
      runsDir: dirname(resolve(options.outDir)),
      live: this.#view,
      liveDir: options.outDir,
      token: null,
      clock: systemClock,
      log,
    });
    stack.defer('runs on disk', () => catalog.close());
    this.#http = await createHttpServer({
      view: this.#view,
      catalog,
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

  get #ownHttpAddress(): string {
    return this.#http.address.replace(/^http:\/\//, '');
  }

  #coordinatorAddresses(): string[] {
    return this.#places().map(({ grpcAddress }) => grpcAddress);
  }

  /** This process first. One that was started again on its ports replaces its former self, which is listed for a while. */
  #places(): CoordinatorPlace[] {
    const { id } = this.#serving;
    const self = {
      ...{ id, pid: process.pid, grpcAddress: this.#context.controlAddress },
      httpAddress: this.#ownHttpAddress,
    };
    const others = [...(this.coordinator?.seen ?? [])]
      .filter((seen) => seen.id !== id)
      .sort((a, b) => a.ageMs - b.ageMs)
      .map((seen) => ({
        ...{ id: seen.id, pid: seen.pid, grpcAddress: seen.address },
        httpAddress: seen.httpAddress ?? '',
      }));
    const byAddress = new Map([...others.reverse(), self].map((place) => [place.grpcAddress, place]));
    return [...byAddress.values()].reverse();
  }

  #coordinatorViews(): Array<{ id: string; pid: number; address: string; leader: boolean }> {
    const leader = this.coordinator?.leader.id ?? '';
    return this.#places().map(({ id, pid, grpcAddress: address }) => ({
      ...{ id, pid, address, leader: id === leader },
    }));
  }

  /** A coordinator that was started again while the run goes on takes over what stood in run.json. */
  #memoryOfTheRun(): { knownWish: Desired | null; restarted: boolean } {
    const { before } = this.#run;
    const goesOn = before?.phase === 'running' || before?.phase === 'paused';
    return { knownWish: before?.desired ?? null, restarted: this.#serving.options.restarted && goesOn };
  }

  #startText(): string {
    const { config } = this.#serving.options;
    const { steps, sequenceLength, globalBatch } = config.budget;
    return `${this.#run.name}: ${steps} steps of ${globalBatch} x ${sequenceLength} tokens, ${this.#run.layout.numel} parameters`;
  }

  async #publishStatus(recorder: RunRecorder): Promise<void> {
    const { signal } = this.#serving;
    let led = false;
    while (!signal.aborted && this.#end === null) {
      const status = this.#view.status();
      recorder.status(status);
      const leads = this.coordinator.leadership !== null;
      if (leads && !led) this.#alerts.begin(systemClock.wallMs());
      led = leads;
      await this.#watch(recorder, status).catch((error: unknown) =>
        this.#serving.log.warn({ error: String(error) }, 'the run could not be watched'),
      );
      await sleep(systemClock, STATUS_MS, signal).catch(() => undefined);
    }
    recorder.status(this.#view.status());
  }

  /** Each second: looks for trouble while it leads, tells what another leader wrote while it does not. */
  async #watch(recorder: RunRecorder, status: RunStatus): Promise<void> {
    for (const sample of await this.#view.newSamples()) recorder.live.sample(sample);
    if (this.coordinator.leadership === null) return recorder.follow();
    const { outDir, config } = this.#serving.options;
    this.#alerts.look({
      wallMs: systemClock.wallMs(),
      phase: status.phase,
      members: status.members.filter(({ role }) => role === 'member'),
      pausedQueues: this.#queues.paused(),
      checkpointStep: this.#context.checkpoints.newest?.step ?? null,
      checkpointEverySteps: config.checkpoint.everySteps,
      freeBytes: await freeBytesOf(outDir),
    });
    if (this.coordinator.leadership !== null) this.#writeRunFile();
    await recorder.keepIndex();
  }

  #writeRunFile(): void {
    this.#runFile.update({
      desired: this.coordinator.wanted,
      coordinators: this.#places(),
      end: this.#end,
      outcome: this.#outcome,
    });
  }
}
