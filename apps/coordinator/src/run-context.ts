import type { RunConfig } from '@cria/protocol';
import type { Clock, CoordinatorId, Log, RunId } from '@cria/runtime';
import type { ParameterLayout } from '@cria/model/config';
import type { CheckpointKeeper } from './checkpoint/checkpoint-keeper.js';
import type { TokenFeed } from './lead/token-feed.js';
import type { RunRecorder } from './metrics/run-recorder.js';
import type { ControlServer } from './rpc/control-server.js';

/** What does not change while this process serves the run, whoever leads. */
export interface RunContext {
  readonly runId: RunId;
  readonly genesis: string;
  readonly fingerprint: string;
  readonly config: RunConfig;
  readonly layout: ParameterLayout;
  readonly numParts: number;
  readonly gridBits: number;
  readonly validationSequences: number;
  /** Steps after which the run ends: the budget's, or fewer with `--steps`. */
  readonly endStep: number;
  readonly outDir: string;
  readonly coordinatorId: CoordinatorId;
  /** Where this coordinator's control service listens. */
  readonly controlAddress: string;
  /** Where it serves the bytes of checkpoints. */
  readonly peerAddress: string;
  readonly tokens: TokenFeed;
  readonly checkpoints: CheckpointKeeper;
  readonly recorder: RunRecorder;
  readonly control: ControlServer;
  readonly clock: Clock;
  readonly log: Log;
  /** Control addresses of all coordinators that are known to live. */
  coordinators(): string[];
}
