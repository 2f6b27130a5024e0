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
}

export function readRunCounts(connection: RedisConnection, runId: RunId): Promise<RunCounts> {
  return connection.call('counting jobs', async (client) => {
    const [seatsWaiting, seatsTaken, shardsWaiting, shardsActive] = await Promise.all([
      client.llen(queueKey(runId, 'seats', 'wait')),
      client.llen(queueKey(runId, 'seats', 'active')),
      client.llen(queueKey(runId, 'shards', 'wait')),
      client.llen(queueKey(runId, 'shards', 'active')),
    ]);
    return { seatsWaiting, seatsTaken, shardsLeft: shardsWaiting + shardsActive };
  });
}
