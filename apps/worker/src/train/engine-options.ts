import { demandsOf, type EngineOptions } from '@cria/model';
import type { RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import type { WorkerOptions } from '../options.js';

/**
 * The engine that a run asks of this worker; what decides its bits is the run's to say.
 *
 * @param fingerprint that the run demands
 * @throws ENGINE_MISMATCH when the worker's flags say another engine
 */
export function engineOptions(config: RunConfig, fingerprint: string, options: WorkerOptions): EngineOptions {
  const { kind, precision } = config.engine;
  if (kind === 'auto' || precision === 'auto') {
    throw new CriaError(
      'CONFIG_INVALID',
      'a running run has its engine resolved; "auto" is only for cria up',
    );
  }
  if (options.engine !== 'auto' && options.engine !== kind) {
    throw new CriaError(
      'ENGINE_MISMATCH',
      `the run needs --engine ${kind}, this worker was started with --engine ${options.engine}`,
    );
  }
  return {
    kind,
    precision,
    device: options.device,
    threads: options.threads,
    instructionSet: config.engine.instructionSet,
    ...demandsOf(fingerprint),
    config: config.model,
    sequenceLength: config.budget.sequenceLength,
  };
}

/** @throws ENGINE_MISMATCH with both fingerprints and what to do */
export function expectSameEngine(run: { runName: string; fingerprint: string }, ours: string): void {
  if (ours === run.fingerprint) return;
  const withoutBits = (text: string): string => text.replace(/ selftest=\w+/, '');
  const remedy =
    withoutBits(ours) === withoutBits(run.fingerprint)
      ? 'the same software, but this processor computes other bits: use a machine like the one that began the run'
      : 'start it with the same engine, precision, device class and versions';
  throw new CriaError(
    'ENGINE_MISMATCH',
    `run ${run.runName} was begun with engine "${run.fingerprint}", this worker has "${ours}": ${remedy}`,
  );
}

/** For displays: `cpu, 2 threads`. */
export function describeDevice({ device, threads }: WorkerOptions): string {
  return device === 'cpu' ? `cpu, ${threads} thread${threads === 1 ? '' : 's'}` : device;
}
