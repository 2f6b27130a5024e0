// How Cria uses BullMQ 6: queues `seats` and `shards` per run over the connection that is there anyway; no
// processors, no blocking reads, no stalled checks (those would put a dead worker's invitation back on offer
// 30 s after the leader has opened the seat again).
import type { RunId } from '@cria/runtime';
import { createRedisBackend, ErrorCode, Queue, Worker, type DefaultJobOptions } from 'bullmq';
import type { RedisConnection } from './connection.js';
import { runPrefix } from './keys.js';

export type QueueName = 'seats' | 'shards';

/** Finished jobs that stay for people to look at. */
const KEEP_FINISHED = 20;
const JOB_OPTIONS: DefaultJobOptions = {
  removeOnComplete: { count: KEEP_FINISHED },
  removeOnFail: { count: KEEP_FINISHED },
};
/** BullMQ keeps 10,000 by default. */
const EVENTS_MAX_LENGTH = 1000;

/** The producer's side of a run's queue. */
export function openQueue<Data>(connection: RedisConnection, runId: RunId, name: QueueName): Queue<Data> {
  const queue = new Queue<Data>(name, {
    connection: connection.client,
    prefix: runPrefix(runId),
    // connectRedis has looked at the server already.
    skipVersionCheck: true,
    defaultJobOptions: JOB_OPTIONS,
    streams: { events: { maxLen: EVENTS_MAX_LENGTH } },
  });
  queue.on('error', (error) => connection.log.debug({ queue: name, error: error.message }, 'BullMQ queue'));
  return queue as unknown as Queue<Data>;
}

/** The consumer's side: jobs are fetched by hand (`getNextJob`), one at a time, without waiting. */
export function openFetcher<Data>(
  connection: RedisConnection,
  runId: RunId,
  name: QueueName,
  lockMs: number,
): Worker<Data> {
  const options = {
    connection: connection.client,
    prefix: runPrefix(runId),
    skipVersionCheck: true,
    autorun: false,
    skipStalledCheck: true,
    skipLockRenewal: true,
    lockDuration: lockMs,
  };
  // Without the second, blocking connection that BullMQ opens for a worker that waits inside Redis.
  const worker = new Worker<Data>(name, null, options, (queueName, queueOptions) =>
    createRedisBackend(queueName, queueOptions),
  );
  worker.on('error', (error) => connection.log.debug({ queue: name, error: error.message }, 'BullMQ worker'));
  return worker;
}

const GONE: readonly unknown[] = [
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobNotInState,
  ErrorCode.JobLockMismatch,
];

/** `done` when BullMQ did it, `gone` when it refused because the job or its lock is not there any more. */
export async function unlessGone<const Done, const Gone>(
  request: Promise<unknown>,
  done: Done,
  gone: Gone,
): Promise<Done | Gone> {
  try {
    await request;
    return done;
  } catch (error) {
    if (error instanceof Error && 'code' in error && GONE.includes(error.code)) return gone;
    throw error;
  }
}
