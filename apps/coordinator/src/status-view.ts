// The run as the HTTP API shows it.
import { timingSafeEqual } from 'node:crypto';
import { membersOf, slotsByWorker, stepHasBegun, workersByAge } from './decide/leader-questions.js';
import type { WorkerRecord } from './decide/leader-state.js';
import type { Alert, MetricHistory } from '@cria/metrics';
import { CriaError, workerId } from '@cria/runtime';
import { join } from 'node:path';
import type { DesiredChange } from '@cria/queue';
import type {
  CheckpointView,
  LedgerSource,
  LiveFeed,
  LiveRun,
  MemberView,
  Notes,
  RunEvent,
  RunFacts,
  RunStatus,
  RunView,
  Sample,
} from './http/run-view.js';
import { LedgerFileSource } from './runs/ledger-file-source.js';
import { JsonlRecords } from './runs/jsonl-records.js';
import { SAMPLES_FILE, isSample, latestSamples } from './runs/records.js';
import { readNotes, writeNotes } from './runs/run-notes.js';
import type { AlertWatch } from './metrics/alert-watch.js';
import type { Leadership } from './lead/leadership.js';
import type { RunContext } from './run-context.js';

export interface StatusSource {
  readonly context: RunContext;
  readonly runName: string;
  readonly token: string;
  /** Changes what is wanted of the run. */
  wish(change: DesiredChange): Promise<void>;
  readonly startedWallMs: number;
  leadership(): Leadership | null;
  /** What the leader answers, while another process leads; null when nobody does. */
  leaderStatus(): RunStatus | null;
  /** How the run ended, once it has. */
  ended(): { readonly ending: 'finished' | 'stopped' | 'failed'; readonly reason: string } | null;
  leader(): { readonly id: string; readonly term: number };
  /** What keeps this process from leading while nobody does; null when nothing is known to. */
  trouble(): string | null;
  coordinators(): RunStatus['coordinators'];
  checkpoints(): readonly CheckpointView[];
  readonly alerts: AlertWatch;
  endedWallMs(): number | null;
}

export class StatusView implements RunView, LiveRun {
  readonly #source: StatusSource;
  readonly #ledger: LedgerFileSource;
  readonly #samples: JsonlRecords<Sample>;
  #samplesTold: number | null = null;

  constructor(source: StatusSource) {
    this.#source = source;
    const { outDir, runId, genesis } = source.context;
    this.#ledger = new LedgerFileSource({ path: join(outDir, 'ledger.jsonl'), origin: { runId, genesis } });
    this.#samples = new JsonlRecords(join(outDir, SAMPLES_FILE), isSample);
  }

  facts(): RunFacts {
    const { context, runName, startedWallMs } = this.#source;
    const { budget } = context.config;
    return {
      id: context.runId,
      run: runName,
      runId: context.runId,
      project: null,
      source: 'cria',
      ...this.#statedPhase(),
      steps: context.endStep,
      tokensPerStep: budget.sequenceLength * budget.globalBatch,
      parameters: context.layout.numel,
      startedWallMs: context.recorder.history.segments[0]?.startedWallMs ?? startedWallMs,
      endedWallMs: this.#source.endedWallMs(),
    };
  }

  live(): LiveRun {
    return this;
  }

  #statedPhase(): Pick<RunStatus, 'phase' | 'reason'> {
    const { phase, reason } = this.status();
    return { phase, reason };
  }

  /** The leader's view, whoever is asked. */
  status(): RunStatus {
    const isStandby = this.#source.leadership() === null && this.#source.ended() === null;
    return (isStandby ? this.#source.leaderStatus() : null) ?? this.#ownStatus();
  }

  #ownStatus(): RunStatus {
    const { context, runName, startedWallMs } = this.#source;
    const leadership = this.#source.leadership();
    const leader = this.#source.leader();
    const state = leadership?.state ?? null;
    const { budget } = context.config;
    return {
      run: runName,
      runId: context.runId,
      ...this.#phase(),
      step: state?.next ?? context.recorder.history.endStep,
      steps: context.endStep,
      term: leader.term,
      leader: leader.id,
      members: leadership === null ? [] : memberViews(leadership),
      coordinators: this.#source.coordinators(),
      seats: { target: state?.desired.target ?? 0, waiting: Math.max(0, state?.seatsWaiting ?? 0) },
      mathHash: leadership?.ledger.head.mathHash ?? '',
      opsHash: leadership?.ledger.head.opsHash ?? '',
      slots: context.config.slots,
      endedWallMs: this.#source.endedWallMs(),
      parameters: context.layout.numel,
      tokensPerStep: budget.sequenceLength * budget.globalBatch,
      startedWallMs,
    };
  }

  config(): unknown {
    return this.#source.context.config;
  }

  metrics(): MetricHistory {
    return this.#source.context.recorder.history;
  }

  events(): readonly RunEvent[] {
    return this.#source.context.recorder.events;
  }

  checkpoints(): Promise<readonly CheckpointView[]> {
    return Promise.resolve(this.#source.checkpoints());
  }

  ledger(): LedgerSource {
    return this.#ledger;
  }

  async samples(): Promise<readonly Sample[]> {
    return latestSamples(await this.#samples.refresh());
  }

  /** Samples that have come since this was asked last; the first time none. */
  async newSamples(): Promise<readonly Sample[]> {
    const records = await this.#samples.refresh();
    const known = this.#samplesTold ?? records.length;
    this.#samplesTold = records.length;
    return records.slice(known);
  }

  alerts(): readonly Alert[] {
    return this.#source.alerts.alerts;
  }

  async acknowledge(alert: string): Promise<Alert> {
    return this.#source.alerts.acknowledge(alert);
  }

  logsDirectory(): string {
    return join(this.#source.context.outDir, 'logs');
  }

  notes(): Notes {
    return readNotes(this.#source.context.outDir);
  }

  setNotes(notes: Notes): Promise<void> {
    return writeNotes(this.#source.context.outDir, notes);
  }

  feed(): LiveFeed {
    return this.#source.context.recorder.live;
  }

  authorised(token: string): boolean {
    const given = Buffer.from(token);
    const wanted = Buffer.from(this.#source.token);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  scale(target: number): Promise<void> {
    return this.#source.wish({ target });
  }

  pause(): Promise<void> {
    return this.#source.wish({ paused: true });
  }

  resume(): Promise<void> {
    return this.#source.wish({ paused: false });
  }

  stop(): Promise<void> {
    return this.#source.wish({ stop: true });
  }

  drain(worker: string): Promise<void> {
    const leadership = this.#source.leadership();
    if (leadership === null) {
      return Promise.reject(new CriaError('LEASE_LOST', 'another coordinator leads; ask it'));
    }
    const record = workersByAge(leadership.state).find(({ id }) => id === worker);
    if (record === undefined) return Promise.reject(new CriaError('USAGE', `there is no worker ${worker}`));
    leadership.post({ kind: 'leave', worker: workerId(worker), why: 'sent away by request' });
    return Promise.resolve();
  }

  ready(): boolean {
    return this.#source.leader().id !== '';
  }

  #phase(): Pick<RunStatus, 'phase' | 'reason'> {
    const ended = this.#source.ended();
    if (ended !== null) return { phase: ended.ending, reason: ended.reason };
    const state = this.#source.leadership()?.state ?? null;
    if (state === null) {
      const trouble = this.#source.trouble();
      return { phase: 'starting', reason: `nobody leads yet${trouble === null ? '' : `: ${trouble}`}` };
    }
    const reason = state.waitingFor === '' ? '' : `waits for ${state.waitingFor}`;
    // The wish takes effect between two steps.
    const isPaused = state.desired.paused && !state.committing && !stepHasBegun(state);
    if (isPaused) return { phase: 'paused', reason };
    if (state.phase === 'gather') return { phase: 'starting', reason: 'gathers workers' };
    if (membersOf(state).length === 0)
      return { phase: 'waiting', reason: reason === '' ? 'waits for workers' : reason };
    return { phase: reason === '' ? 'running' : 'waiting', reason };
  }
}

function memberViews(leadership: Leadership): MemberView[] {
  const slots = slotsByWorker(leadership.state);
  return workersByAge(leadership.state).map((record) => ({
    ...memberView(leadership, record),
    slots: slots.get(record.id) ?? [],
  }));
}

function memberView(leadership: Leadership, record: WorkerRecord): Omit<MemberView, 'slots'> {
  const { context } = leadership;
  const { budget, slots } = context.config;
  const slotTokens = (budget.sequenceLength * budget.globalBatch) / slots;
  const nowMs = leadership.nowMs();
  const figures = leadership.stats.of(record.id);
  return {
    id: record.id,
    pid: record.pid,
    host: record.host,
    device: record.device,
    address: record.address,
    role: record.role,
    position: record.position,
    tokensPerSecond: record.slotMs ? (1000 * slotTokens) / record.slotMs : 0,
    lastContactMs: nowMs - record.lastContactMs,
    waitMs: figures.waitMs,
    bytesReceived: figures.bytesReceived,
    bytesSent: figures.bytesSent,
    memoryBytes: figures.memoryBytes,
    joinedWallMs: context.clock.wallMs() - (nowMs - record.joinedMs),
    slotMs: record.slotMs,
    engine: context.fingerprint,
    threads: figures.threads,
    version: figures.version,
    gpu: figures.gpu,
  };
}
