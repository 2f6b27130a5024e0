import { connectRedis } from '@cria/queue';
import {
  coordinatorId,
  createLog,
  randomId,
  requireLoopback,
  ResourceStack,
  systemClock,
  type LogLevel,
} from '@cria/runtime';
import { CoordinatorProcess, type Serving } from './coordinator-process.js';
import type { CoordinatorOptions, RunOutcome } from './options.js';
import { prepareRun } from './prepare-run.js';

/**
 * Runs one coordinator until the run ends or the signal aborts. The outcome also stands in run.json.
 *
 * @returns how the run ended; null when this process left before the end
 * @throws CriaError when the run failed, or could not be begun
 */
export async function runCoordinator(
  options: CoordinatorOptions,
  signal: AbortSignal,
): Promise<RunOutcome | null> {
  requireLoopback(options.listenHost);
  const stack = new ResourceStack();
  const id = coordinatorId(`coordinator-${randomId(4)}`);
  const level = (process.env['CRIA_LOG_LEVEL'] ?? 'info') as LogLevel;
  try {
    return await serve({ options, signal, stack, id, log: createLog({ name: id, level }) });
  } finally {
    await stack.close();
  }
}

async function serve(serving: Serving): Promise<RunOutcome | null> {
  const { options, signal, stack, log } = serving;
  const redis = await connectRedis(options.redisUrl, { clock: systemClock, log });
  stack.defer('redis', () => redis.close());
  // Lease and ledger must not stand behind a thousand seats that are offered or withdrawn.
  const queues = await connectRedis(options.redisUrl, { clock: systemClock, log });
  stack.defer('queues', () => queues.close());
  const run = await prepareRun(options, redis);
  stack.defer('data', () => run.dataset.close());
  const coordinatorProcess = new CoordinatorProcess(serving, { redis, queues }, run);
  await coordinatorProcess.start();
  const end = await coordinatorProcess.coordinator.run(signal);
  const outcome = end === null ? null : coordinatorProcess.outcomeOf(end);
  if (end !== null && options.stay && !signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  return outcome;
}
