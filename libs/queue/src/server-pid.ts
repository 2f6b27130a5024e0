import type { RedisConnection } from './connection.js';

/** Process id of the redis-server at the other end, as it says itself; null when it does not say. */
export async function redisServerPid(connection: RedisConnection): Promise<number | null> {
  const info = await connection.call('asking Redis who it is', (client) => client.info('server'));
  const pid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
  return Number.isInteger(pid) ? pid : null;
}
