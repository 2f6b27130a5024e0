// A real redis-server for tests: every test file starts its own and stops it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomId, runId, silentLog, systemClock, type RunId } from '@cria/runtime';
import { connectRedis, type ConnectOptions, type RedisConnection } from '../connection.js';
import { startLocalRedis, type LocalRedis } from '../local-redis.js';

export interface RedisFixture {
  readonly dir: string;
  readonly server: LocalRedis;
  /** kill -9; returns when the process is gone. */
  kill(): Promise<void>;
  /** Starts the server again on the same port and files. */
  restart(): Promise<void>;
  /** Connections are closed with the fixture. */
  connect(options?: Partial<ConnectOptions>): Promise<RedisConnection>;
  stop(): Promise<void>;
}

export async function startRedisFixture(): Promise<RedisFixture> {
  const dir = await mkdtemp(join(tmpdir(), 'cria-queue-'));
  const common = { dir, clock: systemClock, log: silentLog };
  let server = await startLocalRedis(common);
  const connections: RedisConnection[] = [];
  return {
    dir,
    get server() {
      return server;
    },
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.closed;
    },
    async restart() {
      server = await startLocalRedis({ ...common, port: server.port });
    },
    async connect(options = {}) {
      const connection = await connectRedis(server.url, { clock: systemClock, log: silentLog, ...options });
      connections.push(connection);
      return connection;
    },
    async stop() {
      await Promise.all(connections.map((connection) => connection.close()));
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A run id that no other test uses. */
export const freshRunId = (): RunId => runId(randomId());

/** Asks again until the answer is yes; for what happens in another process and announces itself to nobody. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 8000;
  while (!(await isSo())) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`still not so after 8 s: ${what}`);
    await new Promise<void>((resolve) => systemClock.timer(10, resolve));
  }
}
