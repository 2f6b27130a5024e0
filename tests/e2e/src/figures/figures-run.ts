// A run whose steps take half a second or more on two cores: long enough that what a loss costs is not lost in them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DisturbedRun } from '../disturbed-run.js';
import type { Stage } from '../stage.js';
import { prepareTokens } from '../tiny-run.js';
import { oneCoreEach } from './one-core-each.js';

export interface FiguresRunOptions {
  readonly workers: number;
  readonly coordinators?: number;
  readonly onLoss?: 'salvage' | 'discard';
  /** Sequences of a step; 64 take about half a second on two cores. */
  readonly globalBatch?: number;
}

export async function startFiguresRun(stage: Stage, options: FiguresRunOptions): Promise<DisturbedRun> {
  const { workers, coordinators = 1, onLoss = 'salvage', globalBatch = 64 } = options;
  const tokens = await prepareTokens(join(stage.folder, 'data'));
  const config = join(stage.folder, 'figures.yaml');
  writeFileSync(config, configuration(tokens, { onLoss, globalBatch }));
  const run = new DisturbedRun(stage, { workers, coordinators, config });
  const stop = oneCoreEach(stage);
  stage.whenCleared(stop);
  await run.begun();
  return run;
}

function configuration(
  tokens: string,
  { onLoss, globalBatch }: { onLoss: string; globalBatch: number },
): string {
  return `
run: figures
seed: 7
model: { hiddenSize: 64, intermediateSize: 128, layers: 2, heads: 4, kvHeads: 2, vocabSize: 50304, maxPositions: 64 }
budget: { steps: 100000, sequenceLength: 64, globalBatch: ${globalBatch} }
slots: 16
data: { train: [ { path: ${tokens} } ], validation: { fraction: 0, everySteps: 0 } }
optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 3 }
engine: { kind: auto, precision: f32 }
exchange: { onLoss: ${onLoss} }
checkpoint: { everySteps: 50, keep: 2 }
workers: { target: 1, min: 1 }
`;
}
