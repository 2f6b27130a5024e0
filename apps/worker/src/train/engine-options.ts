import type { EngineOptions } from '@cria/model';
import type { RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import type { WorkerOptions } from '../options.js';

/** The engine that a run's configuration asks of this worker. Throws ENGINE_MISMATCH when the flags say another. */
export function engineOptions(config: RunConfig, options: WorkerOptions): EngineOptions {
  const { kind, precision, backend } = config.engine;
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
    ...(backend === 'auto' ? {} : { backend }),
    config: config.model,
    sequenceLength: config.budget.sequenceLength,
  };
}

/** For displays: `cpu, 2 threads`. */
export function describeDevice({ device, threads }: WorkerOptions): string {
  return device === 'cpu' ? `cpu, ${threads} thread${threads === 1 ? '' : 's'}` : device;
}
