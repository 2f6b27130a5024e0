// How a run ended: the last line of `cria up --json`.
import { CriaError } from '@cria/runtime';
import type { RunOutcome } from '../options.js';
import type { RunContext } from '../run-context.js';
import { readRunFile } from './run-file.js';

/** Where the life of this process began, on the monotonic clock and in the run. */
export interface LifeStart {
  readonly startedMs: number;
  /** First step that was not there yet. */
  readonly firstStep: number;
  /** Training time of earlier lives. */
  readonly activeMs: number;
}

/** @throws CHECKPOINT_MISSING when the run ended without a checkpoint */
export function outcomeOf(context: RunContext, runName: string, start: LifeStart): RunOutcome {
  const { recorder, checkpoints, config, runId, clock } = context;
  const manifest = checkpoints.newest;
  if (manifest === null) throw new CriaError('CHECKPOINT_MISSING', 'the run ended without a checkpoint');
  const tokensPerStep = config.budget.globalBatch * config.budget.sequenceLength;
  const activeMs = recorder.activeMs - start.activeMs;
  const trained = Math.max(0, manifest.step - start.firstStep) * tokensPerStep;
  return {
    run: runName,
    runId,
    steps: manifest.step,
    tokens: manifest.step * tokensPerStep,
    loss: recorder.history.last()?.loss ?? null,
    valLoss: recorder.valLoss,
    mathHash: manifest.mathHash,
    opsHash: manifest.opsHash,
    checkpoint: checkpoints.views().find((view) => view.step === manifest.step)?.path ?? '',
    modelSha256: manifest.modelSha256,
    stateSha256: manifest.stateSha256,
    tokensPerSecond: activeMs > 0 ? Math.round((1000 * trained) / activeMs) : 0,
    wallMs: Math.round(clock.monotonicMs() - start.startedMs),
  };
}

/** What the last leader wrote into run.json before it gave the lease away; null when the run has failed. */
export function outcomeOfAnother(outDir: string): RunOutcome | null {
  return readRunFile(outDir)?.outcome ?? null;
}
