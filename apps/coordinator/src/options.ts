import type { RunConfig } from '@cria/protocol';
import type { RunId } from '@cria/runtime';

/** What a coordinator process is started with; everything is resolved (no `auto`) and validated. */
export interface CoordinatorOptions {
  readonly config: RunConfig;
  /** Fingerprint of the engine that the workers must have, as one line (libs/model). */
  readonly engineFingerprint: string;
  readonly redisUrl: string;
  /** The run's directory: config.yaml, ledger.jsonl, metrics.jsonl, checkpoints/, run.json. */
  readonly outDir: string;
  /** Continue the run whose id stands in `outDir`. */
  readonly resume: boolean;
  /** A supervisor starts this process again in the middle of a run: what people want of the run stays as it is. */
  readonly restarted: boolean;
  /** Stop after this many committed steps without bending the schedule; null = the whole budget. */
  readonly stopAfterSteps: number | null;
  readonly listenHost: string;
  /** 0 = any free port. */
  readonly grpcPort: number;
  readonly httpPort: number;
  /** HOST:PORT where workers reach the control service, when it is not where it listens; null = where it listens. */
  readonly advertise: string | null;
  /** Stay after the run has finished, so that the dashboard can be read. */
  readonly stay: boolean;
}

/** How a run ended; the last line of `cria up --json`. */
export interface RunOutcome {
  readonly run: string;
  readonly runId: RunId;
  readonly steps: number;
  readonly tokens: number;
  readonly loss: number | null;
  readonly valLoss: number | null;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly checkpoint: string;
  readonly modelSha256: string;
  readonly stateSha256: string;
  readonly tokensPerSecond: number;
  readonly wallMs: number;
}

/** Written to `run.json` in the run's directory while it runs, so that commands find it. */
export interface RunFile {
  readonly run: string;
  readonly runId: string;
  readonly genesis: string;
  readonly redisUrl: string;
  readonly phase: 'running' | 'paused' | 'finished' | 'stopped' | 'failed';
  readonly desired: {
    readonly revision: number;
    readonly target: number;
    readonly paused: boolean;
    readonly stop: boolean;
  };
  readonly coordinators: ReadonlyArray<{
    readonly id: string;
    readonly pid: number;
    readonly grpcAddress: string;
    readonly httpAddress: string;
  }>;
  /** Needed for the POST routes. */
  readonly token: string;
  /** Set when the run has ended. */
  readonly outcome: RunOutcome | null;
  /** One sentence when the run has failed. */
  readonly failure: string | null;
}
