import { coordinatorId } from '@cria/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { redisCoordinatorRoster, type CoordinatorInfo } from './coordinator-roster.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
afterAll(() => redis.stop());

const info = (id: string): CoordinatorInfo => ({
  ...{ id: coordinatorId(id), address: `127.0.0.1:${id}` },
  ...{ httpAddress: null, host: 'h', pid: 1 },
});

describe('the list of coordinators', () => {
  it('holds everybody who announced itself, with its latest words', async () => {
    const roster = redisCoordinatorRoster(connection, freshRunId());
    await roster.announce(info('1'));
    const all = await roster.announce({ ...info('2'), pid: 7 });
    expect(all).toEqual([
      { ...info('1'), ageMs: expect.any(Number) },
      { ...info('2'), pid: 7, ageMs: 0 },
    ]);
    expect((await roster.announce({ ...info('1'), pid: 8 }))[0]).toMatchObject({ pid: 8 });
    expect(await roster.list()).toHaveLength(2);
  });

  it('forgets who is silent and who leaves', async () => {
    const roster = redisCoordinatorRoster(connection, freshRunId(), { forgetMs: 20 });
    await roster.announce(info('1'));
    await until('it is forgotten', async () => (await roster.list()).length === 0);
    const patient = redisCoordinatorRoster(connection, freshRunId());
    await patient.announce(info('1'));
    await patient.leave(coordinatorId('1'));
    expect(await patient.list()).toEqual([]);
  });
});
