// Everything that has to be known before a run has a genesis: data that opens, an engine that exists, no `auto` left.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '@cria/data';
import { gridBitsOf, mathematicalDifferences, type RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import { stringify } from 'yaml';
import { CONFIG_FILE, readRunConfig } from '../run/run-config-file.js';
import { askWorker, type EngineProbe } from '../engine/probe.js';

/** Opens the run's data once, so that a wrong path or a cut-off file is found before anything is started. */
export async function checkData(config: RunConfig): Promise<void> {
  const dataset = await openDataset({
    sources: config.data.train,
    order: config.data.order,
    seed: config.seed,
    sequenceLength: config.budget.sequenceLength,
    validationFraction: config.data.validation.fraction,
  });
  await dataset.close();
}

/** Asks a worker process for its engine. */
export function probeEngine(
  config: RunConfig,
  where: { device: string; script?: string },
  signal: AbortSignal,
): Promise<EngineProbe> {
  const { kind, precision } = config.engine;
  return askWorker({ engine: kind, precision, ...where }, signal);
}

/** The configuration with every `auto` that touches the mathematics written out. */
export function withResolvedEngine(config: RunConfig, probe: EngineProbe): RunConfig {
  return {
    ...config,
    engine: { ...config.engine, kind: probe.kind, precision: probe.precision },
    exchange: { ...config.exchange, gridBits: gridBitsOf(config) },
  };
}

/** Writes `<out>/config.yaml`; returns its path. */
/** Before anything is overwritten: a run goes on with the mathematics it was started with. Throws RUN_MISMATCH by field. */
export function expectSameMathematics(outDir: string, config: RunConfig): void {
  const differences = mathematicalDifferences(readRunConfig(outDir), config);
  if (differences.length === 0) return;
  throw new CriaError(
    'RUN_MISMATCH',
    `--resume: the run in ${outDir} was started with another configuration (${differences.join('; ')}); ` +
      'leave these settings away, or start a new run in another --out',
  );
}

export function writeConfig(outDir: string, config: RunConfig): string {
  const path = join(outDir, CONFIG_FILE);
  try {
    writeFileSync(path, `# The run's configuration as it was resolved.\n${stringify(config)}`);
  } catch (error) {
    throw new CriaError('STORAGE_FAILED', `cannot write ${path}: ${String(error)}`, { cause: error });
  }
  return path;
}
