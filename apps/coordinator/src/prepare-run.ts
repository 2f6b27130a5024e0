// Everything a coordinator needs before it can lead: data, identity of the run, stores. Nothing here is volatile.
import { DirectoryStore, readManifest, type NamedBytes } from '@cria/checkpoint';
import { openDataset, tokenizerFiles, type Dataset } from '@cria/data';
import { mathFollows, readLedger } from '@cria/ledger';
import {
  generationConfig,
  huggingFaceConfig,
  parameterLayout,
  type ParameterLayout,
} from '@cria/model/config';
import { genesisOf, gridBitsOf, type RunConfig } from '@cria/protocol';
import { redisRunRegistry, type RedisConnection, type RunRecord } from '@cria/queue';
import { CriaError, randomId, runId, type RunId } from '@cria/runtime';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CoordinatorOptions, RunFile } from './options.js';
import { keepConfigFile } from './cluster/config-file.js';
import { claimRunFile, readRunFile } from './cluster/run-file.js';

export interface PreparedRun {
  readonly runId: RunId;
  readonly name: string;
  readonly genesis: string;
  readonly dataset: Dataset;
  readonly layout: ParameterLayout;
  readonly store: DirectoryStore;
  /** The token for the POST routes; kept over resumes. */
  readonly token: string;
  readonly record: RunRecord;
  /** run.json as this process found it: of an earlier life, or of coordinators that run already. */
  readonly before: RunFile | null;
}

/** Part size of the flat state in values (libs/kernels PART_SIZE; a test compares them). */
export const PART_VALUES = 1 << 20;

export async function prepareRun(options: CoordinatorOptions, redis: RedisConnection): Promise<PreparedRun> {
  const { config, engineFingerprint, outDir } = options;
  const dataset = await openDataset({
    sources: config.data.train,
    order: config.data.order,
    seed: config.seed,
    sequenceLength: config.budget.sequenceLength,
    validationFraction: config.data.validation.fraction,
  });
  const genesis = genesisOf({
    config,
    dataFingerprint: dataset.fingerprint,
    engineFingerprint,
    parent: null,
  });
  const store = new DirectoryStore(config.checkpoint.store ?? join(outDir, 'checkpoints'));
  await checkStoredGenesis(store, outDir, genesis);
  const record = await claim(options, redis, { genesis, storeOwner: await store.owner() });
  await store.claim(record.id);
  const before = readRunFile(outDir);
  const token = claimRunFile(outDir, emptyRunFile(options, record));
  keepConfigFile(outDir, config);
  return {
    runId: record.id,
    name: record.name,
    before: before?.runId === record.id ? before : null,
    genesis,
    dataset,
    layout: parameterLayout(config.model),
    store,
    token,
    record,
  };
}

/** run.json before anybody leads: it holds the token, and no coordinators yet. */
function emptyRunFile(
  { config, redisUrl }: CoordinatorOptions,
  { name, id, genesis }: RunRecord,
): Omit<RunFile, 'token'> {
  const desired = { revision: 0, target: config.workers.target, paused: false, stop: false };
  const ended = { outcome: null, failure: null };
  return { run: name, runId: id, genesis, redisUrl, phase: 'running', desired, coordinators: [], ...ended };
}

/** What lies in the directory must be of this genesis: the store is what is believed, whatever Redis remembers. */
async function checkStoredGenesis(store: DirectoryStore, outDir: string, genesis: string): Promise<void> {
  const stored = (await newestManifestGenesis(store)) ?? (await ledgerMismatch(outDir, genesis));
  if (stored === null || stored === genesis) return;
  throw new CriaError(
    'RUN_MISMATCH',
    `${outDir} holds a run of genesis ${stored}, this configuration, data and engine give ${genesis}: resume it with what ` +
      'it was started with, or choose another --out for a new run',
  );
}

async function newestManifestGenesis(store: DirectoryStore): Promise<string | null> {
  for (const { step, complete } of await store.list()) {
    if (!complete) continue;
    try {
      return (await readManifest(store, step)).genesis;
    } catch {
      // Damaged: the one before it may still be read; what it is worth is decided when the run starts.
    }
  }
  return null;
}

/** 'another' when the first entry of ledger.jsonl does not follow this genesis; null when there is none or it does. */
async function ledgerMismatch(outDir: string, genesis: string): Promise<string | null> {
  const path = join(outDir, 'ledger.jsonl');
  if (!existsSync(path)) return null;
  for await (const entry of readLedger(path)) {
    return mathFollows({ step: -1, mathHash: genesis }, entry) ? null : 'another';
  }
  return null;
}

async function claim(
  options: CoordinatorOptions,
  redis: RedisConnection,
  { genesis, storeOwner }: { genesis: string; storeOwner: string | null },
): Promise<RunRecord> {
  const { config, outDir, resume } = options;
  if (resume && storeOwner === null) {
    throw new CriaError(
      'RUN_NOT_FOUND',
      `--resume: ${outDir} holds no run; leave --resume away to start one`,
    );
  }
  const result = await redisRunRegistry(redis).claimRun({
    name: config.run,
    genesis,
    proposedId: runId(storeOwner ?? randomId()),
    ...(resume && storeOwner !== null ? { resumeId: runId(storeOwner) } : {}),
  });
  if (result.kind === 'mismatch') {
    throw new CriaError(
      'RUN_MISMATCH',
      `a run named ${result.stored.name} is in Redis with genesis ${result.stored.genesis}, this configuration and ` +
        `data have genesis ${genesis}: choose another name (run:) or give the configuration it was started with`,
    );
  }
  if (result.kind === 'joined' && !resume && storeOwner !== null && result.record.id !== storeOwner) {
    throw new CriaError(
      'RUN_MISMATCH',
      `run ${config.run} in Redis is ${result.record.id}, ${outDir} belongs to ${storeOwner}: choose another --out or run name`,
    );
  }
  if (result.kind === 'claimed' && result.replaced !== null)
    await redisRunRegistry(redis).forgetRun(result.replaced.id);
  return result.record;
}

/** What every checkpoint carries besides the weights. */
export function checkpointFiles(config: RunConfig): NamedBytes[] {
  const json = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  return [
    { name: 'config.json', bytes: json(huggingFaceConfig(config.model)) },
    { name: 'generation_config.json', bytes: json(generationConfig(config.model)) },
    ...tokenizerFiles({ modelMaxLength: config.model.maxPositions }),
  ];
}

/** The part of the configuration that the state depends on; stands in trainer-state.json. */
export function mathematicalConfig(config: RunConfig): unknown {
  const { seed, model, budget, slots, optimizer, anomalies } = config;
  const { order } = config.data;
  return { seed, model, budget, slots, optimizer, anomalies, order, gridBits: gridBitsOf(config) };
}

/** Validation sequences evaluated at a time: enough for a stable mean, few enough to be cheap. */
const VALIDATION_SEQUENCES_MAX = 64;

export function validationCount(config: RunConfig, dataset: Dataset): number {
  return config.data.validation.everySteps === 0
    ? 0
    : Math.min(dataset.validationSequences, VALIDATION_SEQUENCES_MAX);
}

export function partsOf(layout: ParameterLayout): number {
  return Math.ceil(layout.paddedSize / PART_VALUES);
}
