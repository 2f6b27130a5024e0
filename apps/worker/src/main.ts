import { connectRedis, redisLease, redisSeatTaker, type RedisConnection, type TakenSeat } from '@cria/queue';
import {
  createLog,
  CriaError,
  randomId,
  requireLoopback,
  ResourceStack,
  systemClock,
  type Log,
  type LogLevel,
} from '@cria/runtime';
import type { WorkerOptions } from './options.js';
import { findRun } from './rpc/find-run.js';
import { RunSession, type SessionEnd } from './run-session.js';

/**
 * Takes seats and trains until the signal aborts (leaves cleanly) or, with `once`, the run has ended.
 *
 * @throws CriaError ENGINE_MISMATCH with `--run` when this worker cannot compute that run; whatever broke the engine
 */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  requireLoopback(options.listenHost);
  const stack = new ResourceStack();
  const level = (process.env['CRIA_LOG_LEVEL'] ?? 'info') as LogLevel;
  const log = createLog({ name: 'worker', level });
  try {
    await takeSeats(options, signal, { stack, log });
  } finally {
    await stack.close();
  }
}

async function takeSeats(
  options: WorkerOptions,
  signal: AbortSignal,
  parts: { stack: ResourceStack; log: Log },
): Promise<void> {
  const { stack, log } = parts;
  const connection = await connectRedis(options.redisUrl, { clock: systemClock, log });
  stack.defer('redis', () => connection.close());
  const passedOver = new Set<string>();
  const taker = redisSeatTaker({
    connection,
    ...(options.run === null ? {} : { runName: options.run }),
    canServe: (run) => !passedOver.has(run.id),
  });
  stack.defer('seats', () => taker.close());
  while (!signal.aborted) {
    const seat = await nextSeat(taker, signal);
    if (seat === null) return;
    try {
      const end = await serve(seat, options, { signal, log, connection });
      log.info({ run: seat.runName, ...end }, 'left the run');
      if (options.once) return;
      if (!end.mayReturn) throw new CriaError('RUN_MISMATCH', end.why);
    } catch (error) {
      await seat.giveBack().catch(() => undefined);
      if (signal.aborted) return;
      const failure = CriaError.from(error);
      const isOther = failure.action === 'fix-config' || failure.code === 'PEER_UNREACHABLE';
      if (options.run !== null || !isOther) throw failure;
      if (failure.action === 'fix-config') passedOver.add(seat.runId);
      log.warn({ run: seat.runName, error: failure.message }, 'this run is passed over');
    }
  }
}

async function nextSeat(
  taker: { take(o: { signal: AbortSignal }): Promise<TakenSeat> },
  signal: AbortSignal,
): Promise<TakenSeat | null> {
  try {
    return await taker.take({ signal });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

async function serve(
  seat: TakenSeat,
  options: WorkerOptions,
  parts: { signal: AbortSignal; log: Log; connection: RedisConnection },
): Promise<SessionEnd> {
  const facts = await findRun(seat, systemClock);
  const workerId = `worker-${randomId(4)}`;
  const log = parts.log.child({ worker: workerId, run: facts.runName });
  log.info({ seat: seat.jobId }, 'took a seat');
  const lease = redisLease(parts.connection, seat.runId);
  const lookUp = async (): Promise<readonly string[]> => {
    const holder = await lease.read().catch(() => null);
    return holder === null ? [] : [holder.address, ...holder.coordinators];
  };
  const session = new RunSession({ workerId, facts, seat, options, lookUp, clock: systemClock, log });
  return session.run(parts.signal);
}
