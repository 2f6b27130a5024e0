// A step computed again, from the nearest checkpoint before it, and held against the ledger.
import { join } from 'node:path';
import { CheckpointReader, STATE_KINDS, verifyCheckpoint, type CheckpointStore } from '@cria/checkpoint';
import { openDataset, slotSequences, type Dataset } from '@cria/data';
import { loadLedger, mathFollows, meanLoss, type LedgerEntry } from '@cria/ledger';
import { learningRate, parameterLayout } from '@cria/model';
import { genesisOf, gridBitsOf, type RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import { SoloTrainer } from '@cria/worker';
import { openStore } from '../checkpoint/open-store.js';
import { readRunConfig } from '../run/run-config-file.js';
import { firstDifference, type Difference } from './compare-step.js';

export interface ReplayRequest {
  readonly runDir: string;
  readonly step: number;
  readonly device: string;
  readonly threads: number;
  readonly onStep?: (done: number, total: number) => void;
}

export interface ReplayReport {
  readonly ok: boolean;
  readonly step: number;
  /** Step of the checkpoint that it began from; 0 may be the seed's own state. */
  readonly from: number;
  /** Steps computed: all of them are compared. */
  readonly computed: number;
  /** The first digest that differs, of the first step that has one. */
  readonly difference: Difference | null;
}

/** @throws CriaError LEDGER_CORRUPT, RUN_MISMATCH, ENGINE_UNAVAILABLE, CHECKPOINT_*, USAGE for a step that is not there */
export async function replayStep(request: ReplayRequest): Promise<ReplayReport> {
  const { runDir, step } = request;
  const config = readRunConfig(runDir);
  const { entries } = await loadLedger(join(runDir, 'ledger.jsonl'));
  if (step >= entries.length) {
    const there = entries.length === 0 ? 'none yet' : `the steps 0 to ${entries.length - 1}`;
    throw new CriaError('USAGE', `--step ${step}: the ledger of ${runDir} has ${there}`);
  }
  const dataset = await openDataset({
    sources: config.data.train,
    order: config.data.order,
    seed: config.seed,
    sequenceLength: config.budget.sequenceLength,
    validationFraction: config.data.validation.fraction,
  });
  const trainer = await SoloTrainer.open(soloOptions(config, request));
  try {
    expectSameRun({ config, dataset, trainer, entries });
    const from = await loadNearest(openStore(runDir, config), trainer, { config, step });
    return await computeSteps({ request, config, dataset, trainer, entries }, from);
  } finally {
    await trainer.close();
    await dataset.close();
  }
}

interface Parts {
  readonly request: ReplayRequest;
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly trainer: SoloTrainer;
  readonly entries: readonly LedgerEntry[];
}

async function computeSteps(parts: Parts, from: number): Promise<ReplayReport> {
  const { request, config, dataset, trainer, entries } = parts;
  const total = request.step + 1 - from;
  const report = { step: request.step, from };
  for (let step = from; step <= request.step; step++) {
    const { math } = entries[step] as LedgerEntry;
    const solo = await trainer.compute(step, (slot) => tokensOf(dataset, config, { step, slot }));
    const lr = learningRate(step, { ...config.optimizer, steps: config.budget.steps });
    const difference = firstDifference({ ...solo, step, lr, loss: meanLoss(solo.lossBits) }, math);
    const computed = step + 1 - from;
    request.onStep?.(computed, total);
    if (difference !== null) return { ok: false, ...report, computed, difference };
    if (step < request.step)
      await trainer.apply(step, { use: math.verdict === 'use', gradNorm: solo.gradNorm });
  }
  return { ok: true, ...report, computed: total, difference: null };
}

function soloOptions(
  config: RunConfig,
  { device, threads }: ReplayRequest,
): Parameters<typeof SoloTrainer.open>[0] {
  const { kind, precision, instructionSet } = config.engine;
  if (kind === 'auto' || precision === 'auto')
    throw new CriaError('CONFIG_INVALID', 'the configuration of a run that was started names its engine');
  const { budget, slots, seed, optimizer, model } = config;
  const { sequenceLength, globalBatch, steps } = budget;
  return {
    engine: { kind, precision, instructionSet, device, threads, config: model, sequenceLength },
    ...{ optimizer, steps, slots, seed, gridBits: gridBitsOf(config), sequences: globalBatch / slots },
  };
}

/** Configuration, data and engine must be those that the ledger began with. */
function expectSameRun({ config, dataset, trainer, entries }: Omit<Parts, 'request'>): void {
  const genesis = genesisOf({
    config,
    dataFingerprint: dataset.fingerprint,
    engineFingerprint: trainer.fingerprint,
    parent: null,
  });
  const [first] = entries;
  if (first !== undefined && mathFollows({ step: -1, mathHash: genesis }, first)) return;
  throw new CriaError(
    'RUN_MISMATCH',
    `the ledger does not begin with this configuration, this data and this engine (${trainer.fingerprint}): ` +
      'replay on a machine with the engine that the run was started with',
  );
}

/** Fills the state from the newest checkpoint at or before `step` that verifies, or from the seed. */
async function loadNearest(
  store: CheckpointStore,
  trainer: SoloTrainer,
  { config, step }: { config: RunConfig; step: number },
): Promise<number> {
  const layout = parameterLayout(config.model);
  const stored = (await store.list()).filter((one) => one.complete && one.step <= step);
  for (const { step: from } of stored.sort((a, b) => b.step - a.step)) {
    if (!(await verifyCheckpoint(store, from)).ok) continue;
    const reader = await CheckpointReader.open({ store, step: from, layout, verify: false });
    try {
      for (const kind of STATE_KINDS) await reader.readFlat(kind, trainer.state[kind]);
    } finally {
      await reader.close();
    }
    await trainer.adoptState();
    return from;
  }
  await trainer.makeState();
  return 0;
}

async function tokensOf(
  dataset: Dataset,
  { budget, slots }: RunConfig,
  at: { step: number; slot: number },
): Promise<Uint16Array> {
  const { globalBatch, sequenceLength } = budget;
  const { first, count } = slotSequences({ ...at, globalBatch, slots });
  const tokens = new Uint16Array(count * (sequenceLength + 1));
  for (let i = 0; i < count; i++) {
    tokens.set(await dataset.trainSequence(first + i), i * (sequenceLength + 1));
  }
  return tokens;
}
