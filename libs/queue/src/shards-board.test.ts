import { coordinatorId, FakeClock, silentLog, systemClock, type Clock, type RunId } from '@cria/runtime';
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisConnection } from './connection.js';
import { runPrefix } from './keys.js';
import { readRunCounts } from './run-counts.js';
import { shardWindows } from './shard-windows.js';
import { redisShardsBoard, type ShardsBoard } from './shards-board.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
let run: RunId;
/** What a person with BullMQ's own tools sees. */
let looker: Queue;
const closers: Array<() => Promise<void>> = [];

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
beforeEach(() => {
  run = freshRunId();
  looker = new Queue('shards', {
    connection: connection.client,
    prefix: runPrefix(run),
    skipMetasUpdate: true,
  });
  closers.push(() => looker.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => redis.stop());

function newBoard(number = 1, over = connection): ShardsBoard {
  const board = redisShardsBoard(over, run, { number, leader: coordinatorId(`leader${number}`) });
  closers.push(() => board.close());
  return board;
}

const left = async (): Promise<number> => (await readRunCounts(connection, run)).shardsLeft;
const activeData = async (): Promise<unknown> => (await looker.getActive()).map((job) => job.data);

describe('shardWindows', () => {
  it('cuts at multiples of the shard, first and last as they come', () => {
    expect(shardWindows({ fromStep: 7, steps: 22, shardSteps: 5 })).toEqual([
      { fromStep: 7, toStep: 10 },
      { fromStep: 10, toStep: 15 },
      { fromStep: 15, toStep: 20 },
      { fromStep: 20, toStep: 22 },
    ]);
    expect(shardWindows({ fromStep: 22, steps: 22, shardSteps: 5 })).toEqual([]);
  });
});

describe('the shards queue', () => {
  it('shows the shard being trained, the ones left and the ones done', async () => {
    const board = newBoard();
    expect(await board.publishShards({ steps: 20, shardSteps: 5, fromStep: 0 })).toBe(4);
    expect(await activeData()).toEqual([{ fromStep: 0, toStep: 5 }]);
    expect(await board.completeUpTo(4)).toBe('ok');
    expect(await left()).toBe(4);
    expect(await board.completeUpTo(5)).toBe('ok');
    expect(await activeData()).toEqual([{ fromStep: 5, toStep: 10 }]);
    expect(await board.completeUpTo(16)).toBe('ok');
    expect(await activeData()).toEqual([{ fromStep: 15, toStep: 20 }]);
    expect(await looker.getJobCounts('wait', 'active', 'completed', 'failed')).toEqual({
      ...{ wait: 0, active: 1, completed: 3, failed: 0 },
    });
    expect(await board.completeUpTo(20)).toBe('ok');
    expect(await left()).toBe(0);
    expect(await board.completeUpTo(20)).toBe('ok');
  });

  it('is written anew by the next leader at once, also while the old one holds a shard', async () => {
    const old = newBoard(1);
    await old.publishShards({ steps: 20, shardSteps: 5, fromStep: 0 });
    const startedMs = systemClock.monotonicMs();
    const next = newBoard(2);
    expect(await next.publishShards({ steps: 20, shardSteps: 5, fromStep: 7 })).toBe(3);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(10_000);
    expect(await activeData()).toEqual([{ fromStep: 7, toStep: 10 }]);
    expect(await old.completeUpTo(5)).toBe('missing');
    expect(await left()).toBe(3);
    expect(await next.completeUpTo(10)).toBe('ok');
  });

  it('says when Redis has lost the shards, and is published again', async () => {
    const board = newBoard();
    const budget = { steps: 20, shardSteps: 5, fromStep: 0 };
    await board.publishShards(budget);
    await connection.call('flush', (c) => c.flushall());
    expect(await board.completeUpTo(6)).toBe('missing');
    await board.publishShards({ ...budget, fromStep: 6 });
    expect(await board.completeUpTo(10)).toBe('ok');
    expect(await left()).toBe(2);
  });

  it('pauses with the run: nothing is begun, and what is under way can end', async () => {
    const board = newBoard();
    await board.publishShards({ steps: 20, shardSteps: 5, fromStep: 0 });
    await board.pause();
    expect(await looker.isPaused()).toBe(true);
    expect(await readRunCounts(connection, run)).toMatchObject({ shardsPaused: true, shardsLeft: 4 });
    expect(await board.completeUpTo(5)).toBe('ok');
    expect(await activeData()).toEqual([]);
    expect(await left()).toBe(3);
    await board.resume();
    expect(await looker.isPaused()).toBe(false);
    expect(await activeData()).toEqual([{ fromStep: 5, toStep: 10 }]);
    expect(await board.completeUpTo(20)).toBe('ok');
  });

  it('can be published paused', async () => {
    const board = newBoard();
    await board.pause();
    await board.publishShards({ steps: 20, shardSteps: 5, fromStep: 0 });
    expect(await looker.isPaused()).toBe(true);
    expect(await activeData()).toEqual([]);
  });

  it('shows progress at most once a second, the latest one', async () => {
    const time = { source: systemClock as Clock };
    const clock: Clock = {
      wallMs: () => time.source.wallMs(),
      monotonicMs: () => time.source.monotonicMs(),
      timer: (delayMs, fire) => time.source.timer(delayMs, fire),
    };
    const own = await connectRedis(redis.server.url, { clock, log: silentLog });
    closers.push(() => own.close());
    const board = newBoard(1, own);
    await board.publishShards({ steps: 10, shardSteps: 10, fromStep: 0 });
    const fake = new FakeClock();
    time.source = fake;
    const shown = async (): Promise<unknown> => (await looker.getActive())[0]?.progress;
    board.markProgress(1);
    board.markProgress(2);
    fake.advance(0);
    await until('the latest is shown', async () => JSON.stringify(await shown()).includes('"share":0.2'));
    expect(await shown()).toEqual({ fromStep: 0, toStep: 10, committed: 2, share: 0.2 });
    board.markProgress(3);
    fake.advance(999);
    // A round trip on the board's own connection: whatever it sent before has happened by then.
    await own.call('ping', (client) => client.ping());
    expect(await shown()).toMatchObject({ share: 0.2 });
    fake.advance(1);
    await until('the next is shown', async () => JSON.stringify(await shown()).includes('"share":0.3'));
    time.source = systemClock;
  });

  it('holds the thousand shards of a LiteLlama run', async () => {
    const board = newBoard();
    expect(await board.publishShards({ steps: 499_679, shardSteps: 500, fromStep: 0 })).toBe(1000);
    expect(await board.publishShards({ steps: 499_679, shardSteps: 500, fromStep: 1000 })).toBe(998);
    expect(await left()).toBe(998);
  });

  it('keeps two runs of one Redis apart', async () => {
    await newBoard().publishShards({ steps: 20, shardSteps: 5, fromStep: 0 });
    const other = freshRunId();
    const board = redisShardsBoard(connection, other, { number: 1, leader: coordinatorId('x') });
    closers.push(() => board.close());
    await board.publishShards({ steps: 10, shardSteps: 5, fromStep: 0 });
    expect([await left(), (await readRunCounts(connection, other)).shardsLeft]).toEqual([4, 2]);
  });
});
