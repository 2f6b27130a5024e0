// What the HTTP API reads: a port that the coordinator's shell implements, so that routes are tested without one.

import type { MetricHistory, RunEvent, StepMetrics } from '@cria/metrics';

export type { RunEvent, RunEventKind, StepMetrics } from '@cria/metrics';

export interface MemberView {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly device: string;
  readonly address: string;
  readonly role: 'member' | 'shadow' | 'load' | 'wait';
  readonly position: number;
  /** Slots granted for the step under way. */
  readonly slots: readonly number[];
  readonly tokensPerSecond: number;
  readonly lastContactMs: number;
  readonly waitMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly memoryBytes: number;
  readonly joinedWallMs: number;
}

export interface RunStatus {
  readonly run: string;
  readonly runId: string;
  readonly phase: 'starting' | 'running' | 'paused' | 'waiting' | 'finished' | 'stopped' | 'failed';
  /** What the run waits for or why it ended, for people; empty when all is well. */
  readonly reason: string;
  readonly step: number;
  readonly steps: number;
  readonly term: number;
  readonly leader: string;
  readonly members: readonly MemberView[];
  readonly coordinators: ReadonlyArray<{ id: string; pid: number; address: string; leader: boolean }>;
  readonly seats: { readonly target: number; readonly waiting: number };
  readonly mathHash: string;
  readonly parameters: number;
  readonly tokensPerStep: number;
  readonly startedWallMs: number;
}

export interface CheckpointView {
  readonly step: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly stateSha256: string;
  readonly modelSha256: string;
  readonly wallMs: number;
}

/** A live message for the SSE stream; `seq` rises by one and is the SSE id. */
export type LiveMessage =
  | { readonly seq: number; readonly type: 'step'; readonly data: StepMetrics }
  | { readonly seq: number; readonly type: 'event'; readonly data: RunEvent }
  | { readonly seq: number; readonly type: 'status'; readonly data: RunStatus };

/** The live messages of a run; {@link LiveBuffer} is the implementation that coordinators use. */
export interface LiveFeed {
  /** Messages still kept: oldestSeq to newestSeq, both inclusive; newestSeq = oldestSeq - 1 when there are none. */
  range(): { readonly oldestSeq: number; readonly newestSeq: number };
  /**
   * Calls back at once for everything kept after `afterSeq`, then for whatever comes.
   *
   * @returns how to stop
   */
  subscribe(afterSeq: number, listener: (message: LiveMessage) => void): () => void;
}

export interface RunView {
  status(): RunStatus;
  /** The run's configuration as resolved. */
  config(): unknown;
  metrics(): MetricHistory;
  /** In order of `seq`. */
  events(): readonly RunEvent[];
  checkpoints(): readonly CheckpointView[];
  live(): LiveFeed;
  /** Whether `token` may control this run (constant-time comparison). */
  authorised(token: string): boolean;
  /** The control methods may throw a CriaError, which the client is told; LEASE_LOST: another coordinator leads. */
  scale(target: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops the run after a checkpoint; it can be resumed. */
  stop(): Promise<void>;
  /** Sends one worker away at the end of the step. */
  drain(worker: string): Promise<void>;
  ready(): boolean;
}
