// What the HTTP API reads: a port that the coordinator's shell implements, so that routes are tested without one.

export interface StepMetrics {
  readonly step: number;
  readonly tokens: number;
  readonly loss: number | null;
  readonly valLoss?: number | null;
  readonly gradNorm: number | null;
  readonly lr: number;
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly computeMs: number;
  readonly exchangeMs: number;
  readonly waitMs: number;
  readonly commitMs: number;
  readonly lostMs: number;
  readonly attempts: number;
  readonly workers: number;
  readonly bitsPerParameter: number;
  readonly mfu: number | null;
  readonly verdict: 'use' | 'skip' | 'stop';
  readonly wallMs: number;
  readonly activeMs: number;
  /** Raised at every resume, so that an abandoned tail can be told from the line that counts. */
  readonly segment: number;
}

export type RunEventKind =
  | 'run-started'
  | 'run-resumed'
  | 'run-paused'
  | 'run-unpaused'
  | 'run-finished'
  | 'run-stopped'
  | 'run-failed'
  | 'leader-elected'
  | 'worker-joined'
  | 'worker-left'
  | 'worker-lost'
  | 'worker-evicted'
  | 'worker-shadow'
  | 'exchange-repeated'
  | 'step-skipped'
  | 'step-replayed'
  | 'checkpoint-started'
  | 'checkpoint-written'
  | 'checkpoint-failed'
  | 'scaled'
  | 'waiting'
  | 'damage-found';

export interface RunEvent {
  readonly seq: number;
  readonly wallMs: number;
  readonly kind: RunEventKind;
  readonly step: number;
  readonly worker?: string;
  /** One sentence for people. */
  readonly text: string;
}

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

export interface RunView {
  status(): RunStatus;
  config(): unknown;
  /** Metrics of all steps so far, in order of (segment, step). */
  metrics(): readonly StepMetrics[];
  events(): readonly RunEvent[];
  checkpoints(): readonly CheckpointView[];
  /** Calls back for everything after `afterSeq` that is still buffered, then live; returns how to stop. */
  subscribe(afterSeq: number, listener: (message: LiveMessage) => void): () => void;
  /** Whether `token` may control this run (constant-time comparison). */
  authorised(token: string): boolean;
  scale(target: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops the run after a checkpoint; it can be resumed. */
  stop(): Promise<void>;
  /** Sends one worker away at the end of the step. */
  drain(worker: string): Promise<void>;
  ready(): boolean;
}
