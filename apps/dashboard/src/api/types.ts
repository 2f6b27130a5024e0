// What the coordinator answers (docs/http-api.md), as far as this page reads it. The page imports no other package: it is
// built and served on its own, and an old page in front of a newer coordinator must go on working.

/** One committed step; a logged run's rows hold whatever names it logged. */
export interface StepRow {
  readonly step: number;
  readonly segment: number;
  readonly wallMs: number;
  readonly verdict: 'use' | 'skip' | 'stop';
  readonly [metric: string]: number | null | string | undefined;
}

export type Axis = 'step' | 'tokens' | 'time' | 'active';

export interface Bucket {
  readonly step: number;
  readonly x: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly last: number | null;
  readonly notFinite: number;
  readonly smooth?: number | null;
}

/** A moving average's state after the last step, to go on from with live rows. */
export interface SmoothingState {
  readonly kind?: 'ema' | 'twema';
  readonly weight: number;
  readonly sum: number;
  readonly debias: number;
  readonly perX?: number;
  readonly lastX?: number;
}

export interface Series {
  readonly metric: string;
  readonly x: Axis;
  readonly bucketSteps: number;
  readonly endStep: number;
  /** Ends of the whole line on the axis. */
  readonly firstX?: number | null;
  readonly lastX?: number | null;
  readonly buckets: readonly Bucket[];
  readonly abandoned: ReadonlyArray<{ readonly segment: number; readonly buckets: readonly Bucket[] }>;
  readonly smoothing?: SmoothingState;
}

export interface RunEvent {
  readonly seq: number;
  readonly wallMs: number;
  readonly kind: string;
  readonly step: number;
  readonly worker?: string;
  readonly text: string;
}

export interface Member {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  readonly device: string;
  readonly address: string;
  readonly role: 'member' | 'shadow' | 'load' | 'wait';
  readonly position: number;
  readonly lagSteps?: number;
  readonly slots: readonly number[];
  readonly tokensPerSecond: number;
  /** To the median of the members. */
  readonly speedRatio?: number | null;
  readonly slotMs?: number | null;
  /** How much longer than the median its slots take, per step. */
  readonly lagMs?: number | null;
  readonly waitMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly memoryBytes: number;
  readonly gpu?: { readonly use: number | null; readonly memoryBytes: number | null } | null;
  readonly engine?: string;
  readonly version?: string;
  readonly threads?: number | null;
  readonly lastContactMs: number;
  readonly joinedWallMs: number;
}

export type Phase =
  'starting' | 'running' | 'paused' | 'waiting' | 'finished' | 'stopped' | 'failed' | 'unknown';

export interface Coordinator {
  readonly id: string;
  readonly pid: number;
  readonly address: string;
  readonly leader: boolean;
}

/** What the stream repeats every second. */
export interface RunStatus {
  readonly run: string;
  readonly runId: string;
  readonly phase: Phase;
  readonly reason: string;
  readonly step: number;
  readonly steps: number | null;
  readonly term: number;
  readonly leader: string;
  readonly members: readonly Member[];
  readonly coordinators: readonly Coordinator[];
  readonly seats: { readonly target: number; readonly waiting: number };
  readonly mathHash: string;
  readonly opsHash?: string;
  readonly parameters: number | null;
  readonly tokensPerStep: number | null;
  readonly startedWallMs: number | null;
}

export interface MetricSummary {
  readonly unit: string;
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly best: number | null;
  readonly bestStep: number | null;
  readonly count: number;
  readonly notFinite: number;
}

export interface NamedMetric extends MetricSummary {
  readonly name: string;
  readonly help: string;
}

export interface RunBrief {
  readonly id: string;
  readonly run: string;
  readonly runId: string;
  readonly project: string | null;
  readonly source: 'cria' | 'logged';
  readonly live: boolean;
  readonly phase: Phase;
  readonly reason: string;
  readonly step: number;
  readonly steps: number | null;
  readonly tokens: number;
  readonly tokenBudget: number | null;
  readonly remainingMs: number | null;
  readonly loss: number | null;
  readonly workers: number;
  readonly startedWallMs: number | null;
  readonly updatedWallMs: number | null;
  readonly endedWallMs: number | null;
  readonly activeMs: number;
  readonly tags: readonly string[];
  readonly note: string;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
}

export interface Cost {
  readonly pricePerHour: number;
  readonly currency: string;
  readonly soFar: number;
  readonly total: number | null;
}

export type FlatConfig = Readonly<Record<string, string | number | boolean | null>>;

export interface RunSummary extends RunBrief, RunStatus {
  readonly latest: StepRow | null;
  /** The newest finite one. */
  readonly valLoss: number | null;
  readonly cost?: Cost | null;
  readonly config?: FlatConfig;
  readonly alerts?: { readonly firing: number; readonly unacknowledged: number };
  // Both parents have these.
  readonly run: string;
  readonly runId: string;
  readonly phase: Phase;
  readonly reason: string;
  readonly step: number;
  readonly steps: number | null;
  readonly startedWallMs: number | null;
}

export interface Checkpoint {
  readonly step: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly stateSha256: string;
  readonly modelSha256: string;
  readonly mathHash?: string;
  readonly opsHash?: string;
  readonly wallMs: number;
  readonly writtenMs?: number;
  readonly loss?: number | null;
  readonly valLoss?: number | null;
  readonly term?: number;
  readonly leader?: string;
  readonly members?: readonly string[];
  /** The checkpoint before it that is still there. */
  readonly parent?: number | null;
  readonly verify?: 'verified' | 'damaged' | 'unknown';
  readonly problem?: string;
}

export interface CheckpointPage {
  readonly checkpoints: readonly Checkpoint[];
  readonly everySteps?: number | null;
  readonly keep?: number | null;
}

export interface LedgerEntry {
  readonly step: number;
  readonly tokens: number;
  readonly loss: number | null;
  readonly gradNorm: number | null;
  readonly lr: number;
  readonly verdict: 'use' | 'skip' | 'stop';
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

export interface Coverage {
  readonly steps: number;
  readonly budgetSteps: number | null;
  readonly tokens: number;
  readonly tokenBudget: number | null;
  readonly skippedSteps: number;
  readonly skippedTokens: number;
  readonly gaps: number;
  readonly overlaps: number;
}

export interface LedgerPage {
  readonly from: number;
  readonly total: number;
  readonly entries: readonly LedgerEntry[];
  readonly head: { readonly step: number; readonly mathHash: string; readonly opsHash: string } | null;
  readonly coverage: Coverage;
  readonly terms: number;
  readonly chain: 'whole' | 'broken';
  readonly problem: string;
}

export interface Sample {
  readonly step: number;
  readonly prompt: number;
  readonly promptText: string;
  readonly text: string;
  readonly tokens: number;
  readonly worker: string;
  readonly wallMs: number;
}

export interface SamplePage {
  readonly prompts: readonly string[];
  readonly everySteps: number | null;
  readonly steps: readonly number[];
  readonly samples: readonly Sample[];
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogLine {
  readonly wallMs: number | null;
  /** null: not a log line (a crash, a library). */
  readonly level: LogLevel | null;
  readonly text: string;
  readonly step: number | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface LogSource {
  readonly name: string;
  readonly worker: string | null;
  readonly sizeBytes: number;
  readonly updatedWallMs: number;
}

export interface LogPage {
  readonly sources: readonly LogSource[];
  readonly source: string | null;
  readonly lines: readonly LogLine[];
  readonly next: string;
  readonly more: boolean;
}

export interface Alert {
  readonly id: string;
  readonly rule: string;
  readonly severity: 'info' | 'warn' | 'error';
  readonly state: 'firing' | 'resolved';
  readonly metric: string | null;
  readonly worker: string | null;
  readonly step: number;
  readonly text: string;
  readonly startedWallMs: number;
  readonly updatedWallMs: number;
  readonly endedWallMs: number | null;
  readonly acknowledgedWallMs: number | null;
}

export interface AlertRule {
  readonly rule: string;
  readonly help: string;
  readonly on: boolean;
}

export interface AlertPage {
  readonly alerts: readonly Alert[];
  readonly rules: readonly AlertRule[];
}

/** First message of every live connection. */
export interface Hello {
  /** Changes when the messages are numbered anew. */
  readonly stream: string;
  readonly resumed: boolean;
}
