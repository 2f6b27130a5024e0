import { coordinatorId, type RunId } from '@cria/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { leaseKey, termKey } from './keys.js';
import { redisLease, type AcquireResult, type Lease, type Term } from './lease.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
let run: RunId;
let lease: Lease;

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
beforeEach(() => {
  run = freshRunId();
  lease = redisLease(connection, run);
});
afterAll(() => redis.stop());

const one = coordinatorId('one');
const two = coordinatorId('two');
const atOne = { address: '127.0.0.1:1', coordinators: ['127.0.0.1:1', '127.0.0.1:2'] };
const atTwo = { address: '127.0.0.1:2', coordinators: [] };
const LONG_MS = 60_000;

const acquire = async (leader = one, leaseMs = LONG_MS): Promise<Term> => {
  const result = await lease.acquire(leader, atOne, leaseMs);
  if (result.kind !== 'acquired') throw new Error('not acquired');
  return result.term;
};
const remainingMs = (): Promise<number> => connection.call('ttl', (c) => c.pttl(leaseKey(run)));

describe('acquiring', () => {
  it('takes a free lease with number 1, limited in time', async () => {
    expect(await lease.acquire(one, atOne, LONG_MS)).toMatchObject({
      kind: 'acquired',
      term: { number: 1, leader: one },
    });
    expect(await lease.read()).toEqual({ number: 1, leader: one, ...atOne });
    expect(await remainingMs()).toBeGreaterThan(LONG_MS / 2);
  });

  it('is refused with the holder while another has it', async () => {
    await acquire();
    expect(await lease.acquire(two, atTwo, LONG_MS)).toEqual({
      kind: 'held',
      holder: { number: 1, leader: one, ...atOne },
    });
  });

  it('succeeds for exactly one of many contenders', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => coordinatorId(`c${index}`));
    const results = await Promise.all(ids.map((id) => lease.acquire(id, atOne, LONG_MS)));
    expect(results.filter(({ kind }: AcquireResult) => kind === 'acquired')).toHaveLength(1);
  });

  it('succeeds for another once the lease has expired, with a higher number', async () => {
    await acquire(one, 30);
    await until('the lease expires', async () => (await lease.read()) === null);
    expect(await acquire(two)).toEqual({ number: 2, leader: two });
  });

  it('gives the holder itself a new number, so that a lost reply never leads to one number twice', async () => {
    const first = await acquire();
    const second = await acquire();
    expect(second).toEqual({ number: first.number + 1, leader: one });
    expect(await lease.renew(first, atOne, LONG_MS)).toMatchObject({ kind: 'lost' });
  });

  it('goes on above the number of a lease whose counter was lost', async () => {
    await acquire();
    await lease.raiseTerm({ number: 1, leader: one }, 6);
    await connection.call('del', (c) => c.del(termKey(run)));
    expect((await acquire()).number).toBe(8);
  });

  it('is apart for each run of one Redis', async () => {
    await acquire();
    const other = redisLease(connection, freshRunId());
    expect(await other.acquire(two, atTwo, LONG_MS)).toMatchObject({ kind: 'acquired', term: { number: 1 } });
  });
});

describe('renewing', () => {
  it('extends the lease and writes down new addresses', async () => {
    const term = await acquire(one, 1000);
    expect(await lease.renew(term, atTwo, LONG_MS)).toMatchObject({ kind: 'renewed' });
    expect(await remainingMs()).toBeGreaterThan(LONG_MS / 2);
    expect(await lease.read()).toEqual({ ...term, ...atTwo });
  });

  it('names the moment the request was sent, not the moment of the answer', async () => {
    const term = await acquire();
    const beforeMs = connection.clock.monotonicMs();
    const renewal = lease.renew(term, atOne, LONG_MS);
    const afterSendingMs = connection.clock.monotonicMs();
    const result = await renewal;
    if (result.kind !== 'renewed') throw new Error('lost');
    expect(result.sentAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(result.sentAtMs).toBeLessThanOrEqual(afterSendingMs);
  });

  it.each([
    ['another leader with the same number', { number: 1, leader: two }],
    ['an older number', { number: 0, leader: one }],
    ['a number never given', { number: 2, leader: one }],
  ])('is refused for %s', async (_case, term) => {
    await acquire();
    expect(await lease.renew(term, atOne, LONG_MS)).toMatchObject({ kind: 'lost', holder: { number: 1 } });
  });

  it('is refused when the lease is gone', async () => {
    const term = await acquire();
    await connection.call('flush', (c) => c.flushall());
    expect(await lease.renew(term, atOne, LONG_MS)).toEqual({ kind: 'lost', holder: null });
  });

  it('works when Redis is out of memory: a full Redis does not depose its leader', async () => {
    const term = await acquire(one, 1000);
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '1'));
    expect(await lease.renew(term, atTwo, LONG_MS)).toMatchObject({ kind: 'renewed' });
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '0'));
    expect(await remainingMs()).toBeGreaterThan(LONG_MS / 2);
  });
});

describe('releasing', () => {
  it('frees the lease at once; the next number is still higher', async () => {
    const term = await acquire();
    expect(await lease.release(term)).toEqual({ kind: 'released' });
    expect(await lease.read()).toBeNull();
    expect((await acquire(two)).number).toBe(2);
  });

  it('does not take the lease from a successor', async () => {
    const term = await acquire();
    await lease.release(term);
    await acquire(two);
    expect(await lease.release(term)).toMatchObject({ kind: 'lost', holder: { leader: two } });
    expect(await lease.read()).toMatchObject({ leader: two });
  });
});

describe('raising the term', () => {
  it('goes above what workers or entries name', async () => {
    const term = await acquire();
    expect(await lease.raiseTerm(term, 7)).toEqual({ kind: 'held', number: 8 });
    expect(await lease.read()).toMatchObject({ number: 8, leader: one });
    expect(await lease.renew({ ...term, number: 8 }, atOne, LONG_MS)).toMatchObject({ kind: 'renewed' });
  });

  it('leaves a number alone that is above already', async () => {
    const term = await acquire();
    expect(await lease.raiseTerm(term, 0)).toEqual({ kind: 'held', number: 1 });
  });

  it('answers the same when it is repeated after a lost reply', async () => {
    const term = await acquire();
    await lease.raiseTerm(term, 7);
    expect(await lease.raiseTerm(term, 7)).toEqual({ kind: 'held', number: 8 });
  });

  it('keeps the time that is left', async () => {
    const term = await acquire(one, 1000);
    await lease.raiseTerm(term, 7);
    const leftMs = await remainingMs();
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(1000);
  });

  it('is refused to whoever does not hold the lease', async () => {
    await acquire();
    expect(await lease.raiseTerm({ number: 1, leader: two }, 7)).toMatchObject({ kind: 'lost' });
    expect(await lease.read()).toMatchObject({ number: 1 });
  });

  it('makes the next leader’s number higher still', async () => {
    const term = await acquire();
    await lease.raiseTerm(term, 7);
    await lease.release({ ...term, number: 8 });
    expect((await acquire(two)).number).toBe(9);
  });
});
