import { CriaError } from '@cria/runtime';
import type { CoordinatorOptions, RunOutcome } from './options.js';

/**
 * Runs one coordinator until the run ends or the signal aborts.
 *
 * @returns how the run ended; null when this process left before the end
 */
export async function runCoordinator(
  _options: CoordinatorOptions,
  _signal: AbortSignal,
): Promise<RunOutcome | null> {
  throw new CriaError('INTERNAL', 'under construction');
}
