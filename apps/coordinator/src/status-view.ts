// The run as the HTTP API shows it.
import { timingSafeEqual } from 'node:crypto';
import { membersOf, stepHasBegun, workersByAge } from './decide/leader-state.js';
import type { MetricHistory } from '@cria/metrics';
import { CriaError, workerId } from '@cria/runtime';
import type { DesiredChange } from '@cria/queue';
import type { CheckpointView, LiveFeed, MemberView, RunEvent, RunStatus, RunView } from './http/run-view.js';
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
  coordinators(): RunStatus['coordinators'];
  checkpoints(): readonly CheckpointView[];
}

export class StatusView implements RunView {
  readonly #source: StatusSource;

  constructor(source: StatusSource) {
    this.#source = source;
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
      members:
        leadership === null
          ? []
          : workersByAge(leadership.state).map((record) => memberView(leadership, record.id)),
      coordinators: this.#source.coordinators(),
      seats: { target: state?.desired.target ?? 0, waiting: Math.max(0, state?.seatsWaiting ?? 0) },
      mathHash: leadership?.ledger.head.mathHash ?? '',
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

  checkpoints(): readonly CheckpointView[] {
    return this.#source.checkpoints();
  }

  live(): LiveFeed {
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
    if (state === null) return { phase: 'starting', reason: 'nobody leads yet' };
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

function memberView(leadership: Leadership, id: string): MemberView {
  const { context, state } = leadership;
  const worker = workerId(id);
  const record = state.workers.get(worker);
  const { budget, slots } = context.config;
  const slotTokens = (budget.sequenceLength * budget.globalBatch) / slots;
  const nowMs = leadership.nowMs();
  const figures = leadership.stats.of(worker);
  const sinceJoinMs = record === undefined ? 0 : nowMs - record.joinedMs;
  return {
    id,
    pid: record?.pid ?? 0,
    host: record?.host ?? '',
    device: record?.device ?? '',
    address: record?.address ?? '',
    role: record?.role ?? 'wait',
    position: record?.position ?? 0,
    slots: leadership.slotsOf(worker),
    tokensPerSecond: record?.slotMs ? (1000 * slotTokens) / record.slotMs : 0,
    lastContactMs: record === undefined ? 0 : nowMs - record.lastContactMs,
    waitMs: figures.waitMs,
    bytesReceived: figures.bytesReceived,
    bytesSent: figures.bytesSent,
    memoryBytes: figures.memoryBytes,
    joinedWallMs: context.clock.wallMs() - sinceJoinMs,
  };
}
