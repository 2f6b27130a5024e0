// Everything that has to be known before a run has a genesis: data that opens, an engine that exists, no `auto` left.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '@cria/data';
import {
  formatRunConfig,
  genesisOf,
  gridBitsOf,
  mathematicalDifferences,
  type RunConfig,
} from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import { CONFIG_FILE, readRunConfig } from '../run/run-config-file.js';
import { readRunFile } from '../run/run-file.js';
import { askWorker, type EngineProbe, type ProbeRequest } from '../engine/probe.js';

/** Opens the run's data once, so that a wrong path or a cut-off file is found before anything is started. */
export async function checkData(config: RunConfig): Promise<string> {
  const dataset = await openDataset({
    sources: config.data.train,
    order: config.data.order,
    seed: config.seed,
    sequenceLength: config.budget.sequenceLength,
    validationFraction: config.data.validation.fraction,
  });
  await dataset.close();
  return dataset.fingerprint;
}

/** Asks a worker process for its engine. */
export function probeEngine(
  config: RunConfig,
  where: { device: string; script?: string },
  signal: AbortSignal,
): Promise<EngineProbe> {
  // Field by field: whoever calls has `threads` of its own, and those of a worker must not decide the run's bits.
  const { device, script } = where;
  return askWorker({ ...engineRequest(config), device, ...(script === undefined ? {} : { script }) }, signal);
}

/** The engine that a configuration asks for. */
export function engineRequest(config: RunConfig): Omit<ProbeRequest, 'device'> {
  const { kind, precision, backend, threads } = config.engine;
  return { engine: kind, precision, backend, ...(threads === 'auto' ? {} : { threads }) };
}

/** The configuration with every `auto` that touches the mathematics written out. */
export function withResolvedEngine(config: RunConfig, probe: EngineProbe): RunConfig {
  return {
    ...config,
    engine: {
      ...config.engine,
      ...{ kind: probe.kind, precision: probe.precision, backend: probe.backend, threads: probe.threads },
    },
    exchange: { ...config.exchange, gridBits: gridBitsOf(config) },
  };
}

/**
 * Before anything is overwritten: a run goes on with the mathematics it was started with.
 *
 * @param fingerprints of the data and the engine as they are now
 * @throws RUN_MISMATCH naming the fields that differ
 */
export function expectSameMathematics(
  outDir: string,
  config: RunConfig,
  fingerprints: { dataFingerprint: string; engineFingerprint: string },
): void {
  const differences = mathematicalDifferences(readRunConfig(outDir), config);
  const stored = readRunFile(outDir)?.genesis ?? null;
  if (
    differences.length === 0 &&
    stored !== null &&
    stored !== genesisOf({ config, ...fingerprints, parent: null })
  ) {
    differences.push('the data or the engine is another');
  }
  if (differences.length === 0) return;
  throw new CriaError(
    'RUN_MISMATCH',
    `--resume: the run in ${outDir} was started with another configuration (${differences.join('; ')}); ` +
      'leave these settings away, or start a new run in another --out',
  );
}

/** Writes `<out>/config.yaml`; returns its path. */
export function writeConfig(outDir: string, config: RunConfig): string {
  const path = join(outDir, CONFIG_FILE);
  try {
    writeFileSync(path, formatRunConfig(config));
  } catch (error) {
    throw new CriaError('STORAGE_FAILED', `cannot write ${path}: ${String(error)}`, { cause: error });
  }
  return path;
}
