import type { RunId } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { queueKey } from './keys.js';

/** What the queues of a run hold, for status pages and autoscalers. */
export interface RunCounts {
  /** Open seats. */
  readonly seatsWaiting: number;
  /** Invitations taken whose Hello has not come. */
  readonly seatsTaken: number;
  /** Shards not completed, the one being trained included. */
  readonly shardsLeft: number;
  /** Whether somebody has paused the queue: the run itself (shards), or a person with BullMQ's tools. */
  readonly seatsPaused: boolean;
  readonly shardsPaused: boolean;
}

export function readRunCounts(connection: RedisConnection, runId: RunId): Promise<RunCounts> {
  return connection.call('counting jobs', async (client) => {
    const [seatsWaiting, seatsTaken, shardsWaiting, shardsActive, seatsMeta, shardsMeta] = await Promise.all([
      client.llen(queueKey(runId, 'seats', 'wait')),
      client.llen(queueKey(runId, 'seats', 'active')),
      client.llen(queueKey(runId, 'shards', 'wait')),
      client.llen(queueKey(runId, 'shards', 'active')),
      client.hexists(queueKey(runId, 'seats', 'meta'), 'paused'),
      client.hexists(queueKey(runId, 'shards', 'meta'), 'paused'),
    ]);
    return {
      ...{ seatsWaiting, seatsTaken, shardsLeft: shardsWaiting + shardsActive },
      ...{ seatsPaused: seatsMeta === 1, shardsPaused: shardsMeta === 1 },
    };
  });
}
