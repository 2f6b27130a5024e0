// What the HTTP API reads: ports that the coordinator's shell, a run on disk and the made-up run of the tests implement, so that
// routes are tested without a cluster. Everything here is for people and charts; nothing of it decides anything.
import type { Alert, MetricHistory, RunEvent, StepMetrics } from '@cria/metrics';

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
  /** Time of one slot; null before it has finished one. */
  readonly slotMs: number | null;
  /** Its engine's fingerprint. */
  readonly engine: string;
  readonly threads: number | null;
  /** Of Cria. */
  readonly version: string;
  readonly gpu: { readonly use: number | null; readonly memoryBytes: number | null } | null;
}

export type RunPhase = 'starting' | 'running' | 'paused' | 'waiting' | 'finished' | 'stopped' | 'failed';

export interface RunStatus {
  readonly run: string;
  readonly runId: string;
  readonly phase: RunPhase;
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
  readonly opsHash: string;
  readonly parameters: number;
  readonly tokensPerStep: number;
  /** Micro-batches of a step. */
  readonly slots: number;
  readonly startedWallMs: number;
  readonly endedWallMs: number | null;
}

/** What is known of a run, whoever runs it. */
export interface RunFacts {
  /** What URLs call it. */
  readonly id: string;
  readonly run: string;
  readonly runId: string;
  readonly project: string | null;
  readonly source: 'cria' | 'logged';
  readonly phase: RunPhase | 'unknown';
  readonly reason: string;
  readonly steps: number | null;
  readonly tokensPerStep: number | null;
  readonly parameters: number | null;
  readonly startedWallMs: number | null;
  readonly endedWallMs: number | null;
}

export interface CheckpointView {
  readonly step: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly stateSha256: string;
  readonly modelSha256: string;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly wallMs: number;
  /** How long writing it took. */
  readonly writtenMs: number;
  readonly term: number;
  readonly leader: string;
  /** Workers that delivered the state. */
  readonly members: readonly string[];
  readonly verify: 'verified' | 'damaged' | 'unknown';
  /** Empty unless damaged. */
  readonly problem: string;
}

export interface LedgerEntryView {
  readonly step: number;
  readonly tokens: number;
  readonly loss: number | null;
  readonly gradNorm: number | null;
  readonly lr: number;
  readonly verdict: StepMetrics['verdict'];
  readonly flagged: readonly number[];
  readonly attempt: number;
  readonly members: ReadonlyArray<{ readonly worker: string; readonly slots: readonly number[] }>;
  readonly term: number;
  readonly leader: string;
  readonly wallMs: number;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly recovered: boolean;
}

/** What a ledger says about the whole run, from all its entries. */
export interface LedgerSummary {
  readonly total: number;
  readonly head: { readonly step: number; readonly mathHash: string; readonly opsHash: string } | null;
  readonly tokens: number;
  readonly skippedSteps: number;
  readonly skippedTokens: number;
  readonly gaps: number;
  readonly overlaps: number;
  readonly terms: number;
  readonly chain: 'whole' | 'broken';
  readonly problem: string;
}

export interface LedgerSource {
  /** Reads what has come since, then says what there is. */
  summary(): Promise<LedgerSummary>;
  /** Entries by their place in the file. */
  entries(from: number, count: number): Promise<readonly LedgerEntryView[]>;
}

export interface Sample {
  /** Steps committed in the state that wrote it. */
  readonly step: number;
  readonly prompt: number;
  readonly promptText: string;
  readonly text: string;
  readonly tokens: number;
  readonly worker: string;
  readonly wallMs: number;
}

export interface Notes {
  readonly tags: readonly string[];
  readonly note: string;
}

/** A live message for the SSE stream; `cursor` is the SSE id, and tells where in the run's files to go on. */
export type LiveMessage = { readonly cursor: string } & (
  | { readonly type: 'step'; readonly data: StepMetrics }
  | { readonly type: 'event'; readonly data: RunEvent }
  | { readonly type: 'status'; readonly data: RunStatus }
  | { readonly type: 'alert'; readonly data: Alert }
  | { readonly type: 'sample'; readonly data: Sample }
);

/** The live messages of a run; {@link LiveHub} is the implementation. */
export interface LiveFeed {
  /** Where the newest message stands. */
  cursor(): string;
  /**
   * Calls back for whatever comes.
   *
   * @returns how to stop
   */
  subscribe(listener: (message: LiveMessage) => void): () => void;
}

/** One run, to be read. */
export interface RunView {
  facts(): RunFacts;
  /** The run's configuration as resolved; null where it has none. */
  config(): unknown;
  metrics(): MetricHistory;
  /** In order of `seq`. */
  events(): readonly RunEvent[];
  checkpoints(): Promise<readonly CheckpointView[]>;
  ledger(): LedgerSource;
  /** By step, then by prompt. */
  samples(): Promise<readonly Sample[]>;
  /** Newest first. */
  alerts(): readonly Alert[];
  /** Null where it has no directory here. */
  logsDirectory(): string | null;
  notes(): Notes;
  setNotes(notes: Notes): Promise<void>;
  /** Whether `token` may change what belongs to this run (constant-time comparison). */
  authorised(token: string): boolean;
  /** Of the run that this process serves; null for a run on disk. */
  live(): LiveRun | null;
}

/** What only the run has that this process serves. The controls may throw a CriaError, which the client is told. */
export interface LiveRun {
  status(): RunStatus;
  feed(): LiveFeed;
  /** LEASE_LOST: another coordinator leads. */
  scale(target: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Stops the run after a checkpoint; it can be resumed. */
  stop(): Promise<void>;
  /** Sends one worker away at the end of the step. */
  drain(worker: string): Promise<void>;
  acknowledge(alert: string): Promise<Alert>;
  ready(): boolean;
}

/** The runs that one server shows. */
export interface RunCatalog {
  /** The run that this process serves, if any. */
  readonly live: RunView | null;
  /** The live run first, then the newest. */
  list(): Promise<readonly RunView[]>;
  /** By id, name or directory; null when there is none. What it returns has read its files up to now. */
  find(id: string): Promise<RunView | null>;
  /** Whether `token` may change what belongs to any run here. */
  authorised(token: string): boolean;
}
