import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { coordinatorId, type RunId } from '@cria/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { queueKey, runPrefix } from './keys.js';
import { redisLease, type Term } from './lease.js';
import { readRunCounts } from './run-counts.js';
import { redisRunRegistry } from './run-registry.js';
import { redisSeatTaker, type SeatTaker, type SeatTakerOptions, type TakenSeat } from './seat-taker.js';
import { redisSeatsOffer, type SeatsOffer } from './seats-offer.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
const closers: Array<() => Promise<void>> = [];
const children: ChildProcess[] = [];

const SEAT_MS = 20_000;
const at = { address: '127.0.0.1:1', coordinators: ['127.0.0.1:1', '127.0.0.1:2'] };

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
beforeEach(() => connection.call('flush', (c) => c.flushall()));
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(closers.splice(0).map((close) => close()));
});
afterAll(() => redis.stop());

/** A run that is listed and led. */
async function lead(name: string, options: { leader?: string; id?: RunId } = {}): Promise<Led> {
  const proposedId = options.id ?? freshRunId();
  await redisRunRegistry(connection).claimRun({ name, genesis: 'g', proposedId });
  const leader = coordinatorId('one');
  const acquired = await redisLease(connection, proposedId).acquire(leader, at, 60_000);
  if (acquired.kind !== 'acquired') throw new Error('not acquired');
  return {
    id: proposedId,
    term: acquired.term,
    offer: offerOf(proposedId, name, acquired.term),
  };
}

interface Led {
  readonly id: RunId;
  readonly term: Term;
  readonly offer: SeatsOffer;
}

function offerOf(runId: RunId, runName: string, term: Term): SeatsOffer {
  const offer = redisSeatsOffer({ connection, runId, runName, term, at, seatMs: SEAT_MS });
  closers.push(() => offer.close());
  return offer;
}

function newTaker(options: Partial<SeatTakerOptions> = {}): SeatTaker {
  const taker = redisSeatTaker({ connection, pollMs: 20, ...options });
  closers.push(() => taker.close());
  return taker;
}

const take = (taker: SeatTaker): Promise<TakenSeat> => taker.take({ signal: AbortSignal.timeout(5000) });
const takesNothing = (taker: SeatTaker): Promise<unknown> =>
  expect(taker.take({ signal: AbortSignal.timeout(150) })).rejects.toMatchObject({ name: 'TimeoutError' });

/** Another process that takes a seat and keeps it. */
async function takeInAnotherProcess(): Promise<ChildProcess> {
  const dist = new URL('../dist/', import.meta.url).href;
  const program = `
    const { connectRedis, redisSeatTaker } = await import('${dist}index.js');
    const { systemClock, silentLog } = await import('@cria/runtime');
    const connection = await connectRedis('${redis.server.url}', { clock: systemClock, log: silentLog });
    await redisSeatTaker({ connection }).take({ signal: AbortSignal.timeout(5000) });
    console.log('taken');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

describe('the offer of seats', () => {
  it('holds exactly as many invitations as wanted, under the run’s own keys', async () => {
    const { id, offer } = await lead('quick');
    expect(await offer.setWaiting(3)).toEqual({ kind: 'set', added: 3, removed: 0 });
    expect(await connection.call('len', (c) => c.llen(`${runPrefix(id)}:seats:wait`))).toBe(3);
    expect(await offer.setWaiting(3)).toEqual({ kind: 'set', added: 0, removed: 0 });
    expect(await offer.setWaiting(1)).toEqual({ kind: 'set', added: 0, removed: 2 });
    expect(await offer.setWaiting(0)).toEqual({ kind: 'set', added: 0, removed: 1 });
    expect(await offer.waiting()).toBe(0);
  });

  it('is exact when it is set many times at once', async () => {
    const { offer } = await lead('quick');
    await Promise.all([offer.setWaiting(5), offer.setWaiting(2), offer.setWaiting(4)]);
    expect(await offer.waiting()).toBe(4);
  });

  it('is restored by the next call after a FLUSHALL', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(2);
    await connection.call('flush', (c) => c.flushall());
    expect(await offer.setWaiting(2)).toEqual({ kind: 'set', added: 2, removed: 0 });
    expect(await offer.waiting()).toBe(2);
  });

  it('survives a kill -9 of Redis', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(2);
    await redis.kill();
    await expect(offer.setWaiting(3)).rejects.toMatchObject({ action: 'retry' });
    await redis.restart();
    await until('the connection is back', () => connection.isReady);
    expect(await offer.setWaiting(3)).toEqual({ kind: 'set', added: 1, removed: 0 });
  });

  it('is replaced by that of the next leader, and a deposed one changes nothing', async () => {
    const { id, term, offer } = await lead('quick');
    await offer.setWaiting(2);
    const next = offerOf(id, 'quick', { number: term.number + 1, leader: coordinatorId('two') });
    expect(await next.setWaiting(1)).toEqual({ kind: 'set', added: 1, removed: 2 });
    expect(await offer.setWaiting(5)).toEqual({ kind: 'superseded' });
    expect(await next.waiting()).toBe(1);
  });
});

describe('a leader that keeps its seats filled', () => {
  it('always offers target - members - invitations under way, whatever becomes of the takers', async () => {
    const { id, offer } = await lead('quick');
    const target = 4;
    let members = 0;
    const tick = async (): Promise<void> => {
      await offer.dropExpired();
      const underWay = (await offer.taken()).length;
      await offer.setWaiting(target - members - underWay);
    };
    const counts = async (): Promise<number[]> => {
      const { seatsWaiting, seatsTaken } = await readRunCounts(connection, id);
      return [members, seatsTaken, seatsWaiting];
    };
    await tick();
    expect(await counts()).toEqual([0, 0, 4]);
    const welcome = async (): Promise<void> => {
      expect(await (await take(newTaker())).welcomed()).toBe('completed');
      members += 1;
    };
    await Promise.all([welcome(), welcome()]);
    await tick();
    expect(await counts()).toEqual([2, 0, 2]);
    (await takeInAnotherProcess()).kill('SIGKILL');
    await tick();
    expect(await counts()).toEqual([2, 1, 1]);
    await letTimePass(id, offer);
    await tick();
    expect(await counts()).toEqual([2, 0, 2]);
    members -= 1;
    await tick();
    expect(await counts()).toEqual([1, 0, 3]);
    await connection.call('flush', (c) => c.flushall());
    await tick();
    expect(await counts()).toEqual([1, 0, 3]);
  });
});

describe('taking a seat', () => {
  it('answers where to say Hello, the leader first, and uses the invitation up', async () => {
    const { id, term, offer } = await lead('quick');
    await offer.setWaiting(1);
    const seat = await take(newTaker());
    expect(seat).toMatchObject({ runId: id, runName: 'quick', term });
    expect(seat.addresses).toEqual(['127.0.0.1:1', '127.0.0.1:2']);
    expect(await readRunCounts(connection, id)).toMatchObject({ seatsWaiting: 0, seatsTaken: 1 });
    expect(await seat.welcomed()).toBe('completed');
    expect(await readRunCounts(connection, id)).toMatchObject({ seatsWaiting: 0, seatsTaken: 0 });
  });

  it('waits until a seat is offered and is told at once', async () => {
    const { offer } = await lead('quick');
    let looks = 0;
    const taking = take(newTaker({ pollMs: 60_000, canServe: () => ++looks > 1 }));
    await until('the taker has looked in vain and listens', async () => {
      return looks === 1 && (await numberOfListeners()) > 0;
    });
    await offer.setWaiting(1);
    expect((await taking).runName).toBe('quick');
  });

  it('finds a seat by polling when the announcement was lost', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(1);
    expect((await take(newTaker({ pollMs: 10 }))).runName).toBe('quick');
  });

  it('gives each of many takers a seat of its own', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(4);
    const seats = await Promise.all(Array.from({ length: 4 }, () => take(newTaker())));
    expect(new Set(seats.map((seat) => seat.jobId)).size).toBe(4);
    expect(await offer.taken()).toHaveLength(4);
    await takesNothing(newTaker());
  });

  it('ends with the reason of its signal', async () => {
    await expect(newTaker().take({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    await takesNothing(newTaker());
  });

  it('goes on waiting while Redis is away', async () => {
    const { offer } = await lead('quick');
    const taking = take(newTaker());
    await redis.kill();
    await redis.restart();
    await until('the offer stands', () =>
      offer.setWaiting(1).then(
        () => true,
        () => false,
      ),
    );
    expect((await taking).runName).toBe('quick');
  });
});

describe('which run is served', () => {
  it('is the oldest of those with a live leader and an open seat', async () => {
    const registry = redisRunRegistry(connection);
    const [old, young] = [await lead('old'), await lead('young')];
    const { id } = young;
    await registry.refillRun({ name: 'young', id, genesis: 'g', state: 'running', sinceMs: 0 }, 0);
    await old.offer.setWaiting(1);
    await young.offer.setWaiting(1);
    expect((await take(newTaker())).runName).toBe('young');
    expect((await take(newTaker())).runName).toBe('old');
  });

  it('is none that is finished, stopped, without a leader, or that the worker cannot compute', async () => {
    const registry = redisRunRegistry(connection);
    const runs = await Promise.all(
      ['finished', 'stopped', 'leaderless', 'foreign'].map((name) => lead(name)),
    );
    for (const { offer } of runs) await offer.setWaiting(1);
    const [finished, stopped, leaderless] = runs as [Led, Led, Led, Led];
    await registry.setRunState(finished.id, 'finished');
    await registry.setRunState(stopped.id, 'stopped');
    await redisLease(connection, leaderless.id).release(leaderless.term);
    await takesNothing(newTaker({ canServe: (run) => run.name !== 'foreign' }));
    expect((await take(newTaker())).runName).toBe('foreign');
  });

  it('is the named one alone when a name is given', async () => {
    const [one, two] = [await lead('one'), await lead('two')];
    await one.offer.setWaiting(1);
    await takesNothing(newTaker({ runName: 'two' }));
    await two.offer.setWaiting(1);
    expect((await take(newTaker({ runName: 'two' }))).runName).toBe('two');
    expect(await one.offer.waiting()).toBe(1);
  });
});

describe('an invitation that does not end with a Welcome', () => {
  it('is open again after it was given back, and its taker leaves that run alone for a while', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(1);
    const taker = newTaker();
    const seat = await take(taker);
    expect(await seat.giveBack({ avoidMs: 60_000 })).toBe('returned');
    expect(await offer.waiting()).toBe(1);
    await takesNothing(taker);
    expect((await take(newTaker())).jobId).toBe(seat.jobId);
  });

  it('is listed with its age by Redis’ clock, so that the leader can count it for seatMs', async () => {
    const { id, offer } = await lead('quick');
    await offer.setWaiting(1);
    const seat = await take(newTaker());
    const nowMs = connection.clock.monotonicMs();
    expect(Math.abs(seat.expiresAtMs - SEAT_MS - nowMs)).toBeLessThan(4000);
    const lock = queueKey(id, 'seats', `${seat.jobId}:lock`);
    expect(await connection.call('ttl', (c) => c.pttl(lock))).toBeLessThanOrEqual(SEAT_MS);
    await connection.call('expire', (c) => c.pexpire(lock, SEAT_MS - 8000));
    const [taken] = await offer.taken();
    expect(taken?.jobId).toBe(seat.jobId);
    expect(Math.abs((taken?.takenAtMs ?? 0) - (nowMs - 8000))).toBeLessThan(4000);
  });

  it('does not keep the number of waiting ones from being set', async () => {
    const { offer } = await lead('quick');
    await offer.setWaiting(2);
    const seat = await take(newTaker());
    expect(await offer.setWaiting(1)).toEqual({ kind: 'set', added: 0, removed: 0 });
    expect(await offer.setWaiting(2)).toEqual({ kind: 'set', added: 1, removed: 0 });
    expect(await offer.setWaiting(0)).toMatchObject({ removed: 2 });
    expect(await seat.welcomed()).toBe('completed');
  });

  it('runs out when its taker is killed, is never offered a second time, and is cleared away', async () => {
    const { id, offer } = await lead('quick');
    await offer.setWaiting(1);
    const child = await takeInAnotherProcess();
    child.kill('SIGKILL');
    expect(await offer.taken()).toHaveLength(1);
    expect(await offer.dropExpired()).toBe(0);
    await letTimePass(id, offer);
    expect(await offer.taken()).toEqual([]);
    expect(await offer.waiting()).toBe(0);
    expect(await offer.dropExpired()).toBe(1);
    expect(await readRunCounts(connection, id)).toMatchObject({
      seatsWaiting: 0,
      seatsTaken: 0,
      shardsLeft: 0,
    });
  });

  it('is known to be gone by a taker who is late', async () => {
    const { id, offer } = await lead('quick');
    await offer.setWaiting(2);
    const [first, second] = [await take(newTaker()), await take(newTaker())];
    await connection.call('expire', (c) => c.del(queueKey(id, 'seats', `${first.jobId}:lock`)));
    expect(await first.welcomed()).toBe('expired');
    expect(await offer.dropExpired()).toBe(1);
    await connection.call('flush', (c) => c.flushall());
    expect(await second.giveBack()).toBe('expired');
    expect(await offer.waiting()).toBe(0);
  });

  it('leaves the queue alone when it is no invitation at all', async () => {
    const { id, offer } = await lead('quick');
    await connection.call('push', (c) => c.lpush(queueKey(id, 'seats', 'wait'), 'stranger'));
    await connection.call('push', (c) =>
      c.hset(queueKey(id, 'seats', 'stranger'), { name: 'x', data: '{}' }),
    );
    await takesNothing(newTaker());
    await offer.setWaiting(1);
    expect((await take(newTaker())).runName).toBe('quick');
  });
});

/** As if seatMs went by: the locks of all taken invitations run out. */
async function letTimePass(id: RunId, offer: SeatsOffer): Promise<void> {
  for (const { jobId } of await offer.taken()) {
    await connection.call('expire', (c) => c.pexpire(queueKey(id, 'seats', `${jobId}:lock`), 0));
  }
}

function numberOfListeners(): Promise<number> {
  return connection.call('numsub', async (c) => Number((await c.pubsub('NUMSUB', 'cria:seats-offered'))[1]));
}
