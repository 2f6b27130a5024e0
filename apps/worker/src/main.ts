import { CriaError } from '@cria/runtime';
import type { WorkerOptions } from './options.js';

/** Takes seats and trains until the signal aborts (leaves cleanly) or, with `once`, the run ends. */
export async function runWorker(_options: WorkerOptions, _signal: AbortSignal): Promise<void> {
  throw new CriaError('INTERNAL', 'under construction');
}
