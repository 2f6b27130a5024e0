// The redis-server of a run, as a child like the others.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { connectRedis, startLocalRedis } from '@cria/queue';
import { CriaError, type Clock, type Log } from '@cria/runtime';
import type { Child } from './child.js';

/** Starts the run's own redis-server; its append-only file is in `<out>/redis`. */
export async function startRedisChild(options: {
  outDir: string;
  /** null = any free one. */
  port: number | null;
  clock: Clock;
  log: Log;
}): Promise<Child & { readonly port: number; readonly url: string }> {
  const { outDir, port, clock, log } = options;
  const dir = join(outDir, 'redis');
  const redis = await startLocalRedis({ dir, clock, log, ...(port === null ? {} : { port }) });
  return {
    pid: redis.pid,
    port: redis.port,
    url: redis.url,
    closed: redis.closed.then(({ exitCode, signal }) => ({ code: exitCode, signal })),
    stop: (graceMs) => redis.stop({ graceMs }),
  };
}

/** Whether there is a redis-server to start, asked before anything is written. Throws ENVIRONMENT_MISSING. */
export function expectRedisServer(): void {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error === undefined) return;
  throw new CriaError(
    'ENVIRONMENT_MISSING',
    'redis-server is not installed: run `npx cria setup` (or `apt-get install redis-server`), or name a running Redis with REDIS_URL',
  );
}

/** Connects once to a Redis that somebody else runs, so that a wrong REDIS_URL is found first. */
export async function checkRedis(url: string, options: { clock: Clock; log: Log }): Promise<void> {
  const connection = await connectRedis(url, options);
  await connection.close();
}
