// Redis is not the truth: whatever happens to it, the run pauses or repairs itself, and goes on as it would have.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectRedis, type RedisConnection } from '@cria/queue';
import { silentLog, systemClock } from '@cria/runtime';
import { expect } from 'vitest';
import { startRedis } from '../by-hand.js';
import { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { claim, type Stage } from '../stage.js';
import { TcpProxy } from '../tcp-proxy.js';

export function redisIsNotTheTruth(): void {
  claim('Redis of somebody else: slow, emptied, full, an old copy of itself', async (stage) => {
    const folder = join(stage.folder, 'their-redis');
    let redis = await startRedis(folder);
    const proxy = await TcpProxy.start(redis.port);
    const run = new DisturbedRun(stage, {
      workers: 2,
      env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
    });
    await run.begun();

    proxy.delayMs = 150;
    await stage.committed(stage.run.steps() + 3);
    proxy.delayMs = 0;

    // Whoever joins afterwards finds the run again.
    await withRedis(redis.url, (client) => client.flushall());
    await run.whole([killWorker(stage)]);

    await withRedis(redis.url, (client) => client.config('SET', 'maxmemory', '1mb'));
    await stage.until('it waits', () => staysAt(stage));
    await withRedis(redis.url, (client) => client.config('SET', 'maxmemory', '0'));
    await run.whole();

    const backup = join(stage.folder, 'backup');
    const { port } = redis;
    kill(redis.pid, 'SIGKILL');
    await redis.closed;
    cpSync(folder, backup, { recursive: true });
    redis = await startRedis(folder, port);
    await stage.committed(stage.run.steps() + 20);
    kill(redis.pid, 'SIGKILL');
    await redis.closed;
    await stage.until('the page says why nobody leads', async () => {
      const { reason } = (await stage.status()) ?? { reason: '' };
      return /^nobody leads yet: .*Redis at /.test(reason);
    });
    rmSync(folder, { recursive: true });
    cpSync(backup, folder, { recursive: true });
    redis = await startRedis(folder, port);
    await run.whole([killWorker(stage)]);

    await run.compare();
    await Promise.all([redis.stop(), proxy.close()]);
  });

  claim(
    'its own Redis, lost with the leader, with one of two workers, with every ledger but theirs',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 2 });
      await run.begun();
      for (const places of [
        ['redis', 'coordinator-0'],
        ['redis', 'coordinator-0', 'worker-1'],
      ]) {
        const pids = places.map((place) => stage.child(place));
        for (const pid of pids) kill(pid, 'SIGKILL');
        await run.whole(pids);
      }
      await loseAllButWorkers(stage, run);
      await run.compare();
      // Somebody had the state all the time.
      expect(stage.disturbed.events('step-replayed')).toEqual([]);
    },
  );
}

/** Between two checkpoints the leader, Redis with its files and ledger.jsonl go at once: only workers have the ledger. */
async function loseAllButWorkers(stage: Stage, run: DisturbedRun): Promise<void> {
  const step = 10 * Math.ceil(stage.run.steps() / 10) + 25;
  const stands = await stage.stoppedAt('computing', step);
  run.signal('SIGSTOP');
  const pids = ['redis', 'coordinator-0'].map((place) => stage.child(place));
  for (const pid of pids) kill(pid, 'SIGKILL');
  for (const name of ['ledger.jsonl', 'redis']) rmSync(stage.run.file(name), { recursive: true });
  kill(stands, 'SIGCONT');
  run.signal('SIGCONT');
  await run.whole(pids);
  expect(stage.run.steps()).toBeGreaterThan(step);
}

function killWorker(stage: Stage): number {
  const pid = stage.child('worker-0');
  kill(pid, 'SIGKILL');
  return pid;
}

let lastSeen = { steps: -1, sinceMs: 0 };

/** Nothing was committed for a second and a half. */
function staysAt(stage: Stage): boolean {
  const steps = stage.run.steps();
  if (steps !== lastSeen.steps) lastSeen = { steps, sinceMs: performance.now() };
  return performance.now() - lastSeen.sinceMs > 1500;
}

async function withRedis(
  url: string,
  act: (client: RedisConnection['client']) => Promise<unknown>,
): Promise<void> {
  const connection = await connectRedis(url, { clock: systemClock, log: silentLog });
  await act(connection.client).finally(() => connection.close());
}
