import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { redisDesired, type Desired, type DesiredStore } from './desired.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
let desired: DesiredStore;

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
beforeEach(() => {
  desired = redisDesired(connection, freshRunId());
});
afterAll(() => redis.stop());

const first: Desired = { revision: 1, target: 2, paused: false, stop: false };

describe('what is desired of a run', () => {
  it('is changed by whoever knows the current revision', async () => {
    await desired.offer(first);
    const result = await desired.compareAndSet(first, { target: 3 });
    expect(result).toEqual({ kind: 'set', desired: { ...first, revision: 2, target: 3 } });
    expect(await desired.read()).toEqual({ ...first, revision: 2, target: 3 });
  });

  it('is not changed by whoever knows an older one', async () => {
    await desired.offer(first);
    await desired.compareAndSet(first, { target: 3 });
    expect(await desired.compareAndSet(first, { paused: true })).toEqual({
      kind: 'conflict',
      current: { ...first, revision: 2, target: 3 },
    });
  });

  it('loses no change of many at once', async () => {
    await desired.offer(first);
    await Promise.all([
      desired.update({ target: 5 }),
      desired.update({ paused: true }),
      desired.update({ stop: true }),
    ]);
    expect(await desired.read()).toEqual({ revision: 4, target: 5, paused: true, stop: true });
  });

  it('is refilled by the highest revision: an old or empty Redis never wins', async () => {
    const newer = { ...first, revision: 7, target: 4 };
    expect(await desired.offer(first)).toEqual(first);
    expect(await desired.offer(newer)).toEqual(newer);
    expect(await desired.offer(first)).toEqual(newer);
    await connection.call('flush', (c) => c.flushall());
    expect(await desired.compareAndSet(newer, { target: 1 })).toEqual({ kind: 'missing' });
    await expect(desired.update({ target: 1 })).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(await desired.offer(newer)).toEqual(newer);
  });

  it('is seen by a watcher at once: the current one, then each change', async () => {
    await desired.offer(first);
    const seen: Desired[] = [];
    // The next poll is far away: what arrives was published.
    const stop = desired.watch((value) => seen.push(value), { pollMs: 60_000 });
    await until('the current one is seen', () => seen.length === 1);
    await until('a change is seen', async () => {
      if (seen.length === 1) await desired.update({ target: 9 });
      return seen.length > 1;
    });
    expect(seen[0]).toEqual(first);
    expect(seen.at(-1)).toMatchObject({ target: 9 });
    stop();
    const { length } = seen;
    await desired.update({ target: 1 });
    expect(seen).toHaveLength(length);
  });

  it('is seen by polling when it was not published, and no revision twice or backwards', async () => {
    const seen: number[] = [];
    const stop = desired.watch(({ revision }) => seen.push(revision), { pollMs: 5 });
    await desired.offer(first);
    await desired.update({ target: 1 });
    await until('both are seen', () => seen.at(-1) === 2);
    await connection.call('flush', (c) => c.flushall());
    await desired.offer(first);
    await desired.offer({ ...first, revision: 5 });
    await until('the higher one is seen', () => seen.at(-1) === 5);
    stop();
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
  });
});
