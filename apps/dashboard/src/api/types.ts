// What the coordinator answers, as far as this page reads it. The page imports no other package: it is built and served
// on its own, and an old page in front of a newer coordinator must go on working.

export interface StepRow {
  readonly step: number;
  readonly tokens: number;
  readonly loss: number | null;
  readonly valLoss?: number | null;
  readonly gradNorm: number | null;
  readonly lr: number;
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly lostMs: number;
  readonly attempts: number;
  readonly workers: number;
  readonly bitsPerParameter: number;
  readonly mfu: number | null;
  readonly verdict: 'use' | 'skip' | 'stop';
  readonly wallMs: number;
  readonly activeMs: number;
  readonly segment: number;
}

export type MetricName = 'loss' | 'valLoss' | 'gradNorm' | 'lr' | 'tokensPerSecond';
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

export interface Series {
  readonly metric: MetricName;
  readonly x: Axis;
  readonly bucketSteps: number;
  readonly endStep: number;
  readonly buckets: readonly Bucket[];
  readonly abandoned: ReadonlyArray<{ readonly segment: number; readonly buckets: readonly Bucket[] }>;
  readonly smoothing?: { readonly weight: number; readonly sum: number; readonly debias: number };
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
  readonly role: 'member' | 'shadow' | 'load' | 'wait';
  readonly position: number;
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
  readonly reason: string;
  readonly step: number;
  readonly steps: number;
  readonly term: number;
  readonly leader: string;
  readonly members: readonly Member[];
  readonly coordinators: ReadonlyArray<{ id: string; pid: number; address: string; leader: boolean }>;
  readonly seats: { readonly target: number; readonly waiting: number };
  readonly mathHash: string;
  readonly parameters: number;
  readonly tokensPerStep: number;
  readonly startedWallMs: number;
}

export interface RunSummary extends RunStatus {
  readonly remainingMs: number | null;
  readonly latest: StepRow | null;
  /** The newest finite one. */
  readonly valLoss: number | null;
}

export interface Checkpoint {
  readonly step: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly stateSha256: string;
  readonly modelSha256: string;
  readonly wallMs: number;
}

/** First message of every live connection. */
export interface Hello {
  /** Changes when another coordinator, or one that was started again, numbers the messages. */
  readonly stream: string;
  readonly resumed: boolean;
}
