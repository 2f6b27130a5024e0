// The services of one coordinator process (control, checkpoints) and what does not change while it serves the run.
import { gridBitsOf, type DescribeReply } from '@cria/protocol';
import { systemClock, type CoordinatorId, type Log, type ResourceStack } from '@cria/runtime';
import { join } from 'node:path';
import { CheckpointKeeper } from './checkpoint/checkpoint-keeper.js';
import { startCheckpointServer } from './checkpoint/checkpoint-server.js';
import { FetchStatePuller } from './checkpoint/fetch-state-puller.js';
import { TokenFeed } from './lead/token-feed.js';
import type { RunRecorder } from './metrics/run-recorder.js';
import type { CoordinatorOptions } from './options.js';
import {
  checkpointFiles,
  mathematicalConfig,
  partsOf,
  validationCount,
  type PreparedRun,
} from './prepare-run.js';
import { ControlServer } from './rpc/control-server.js';
import type { RunContext } from './run-context.js';

export interface Serving {
  readonly options: CoordinatorOptions;
  readonly signal: AbortSignal;
  readonly stack: ResourceStack;
  readonly id: CoordinatorId;
  readonly log: Log;
}

/** What the services ask the process about. */
export interface ContextHooks {
  describe(): DescribeReply;
  coordinators(): string[];
}

/** Starts the services; `serving.stack` stops them. Throws PORT_IN_USE naming the flag. */
export async function buildContext(
  serving: Serving,
  run: PreparedRun,
  parts: { recorder: RunRecorder; hooks: ContextHooks },
): Promise<RunContext> {
  const { options, stack, id, log } = serving;
  const { recorder, hooks } = parts;
  const { config, outDir, listenHost: host, grpcPort } = options;
  const control = new ControlServer({ host, port: grpcPort, log, describe: () => hooks.describe() });
  const port = await control.start();
  stack.defer('control service', () => control.stop());
  const { store, layout, runId, genesis, dataset } = run;
  const peer = await startCheckpointServer({ store, layout, runId, host });
  stack.defer('checkpoint service', () => peer.stop());
  const { globalBatch } = config.budget;
  return {
    ...{ runId, genesis, config, layout, outDir, control, recorder, log },
    endStep: Math.min(config.budget.steps, options.stopAfterSteps ?? Infinity),
    checkpoints: checkpointKeeper(serving, run, recorder),
    fingerprint: options.engineFingerprint,
    numParts: partsOf(layout),
    gridBits: gridBitsOf(config),
    validationSequences: validationCount(config, dataset),
    coordinatorId: id,
    controlAddress: options.advertise ?? `${host}:${port}`,
    peerAddress: peer.address,
    tokens: new TokenFeed({ dataset, globalBatch, slots: config.slots }),
    clock: systemClock,
    coordinators: () => hooks.coordinators(),
  };
}

function checkpointKeeper(
  { options, stack, id, log }: Serving,
  run: PreparedRun,
  recorder: RunRecorder,
): CheckpointKeeper {
  const { config, outDir, engineFingerprint } = options;
  const { dataset, layout, store, runId, genesis } = run;
  const { globalBatch, sequenceLength } = config.budget;
  const puller = new FetchStatePuller({ runId, self: id });
  stack.defer('checkpoint pulls', () => puller.close());
  return new CheckpointKeeper({
    ...{ store, layout, runId, genesis, puller, log, clock: systemClock },
    keep: config.checkpoint.keep,
    files: checkpointFiles(config),
    onRejected: (step, text) => {
      log.warn({ step }, text);
      recorder.event('damage-found', step, text);
    },
    fingerprints: { engine: engineFingerprint, data: dataset.fingerprint, parent: null },
    mathConfig: mathematicalConfig(config),
    tokensPerStep: globalBatch * sequenceLength,
    ledgerPath: join(outDir, 'ledger.jsonl'),
  });
}
