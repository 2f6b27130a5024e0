import { coordinatorId, type RunId } from '@cria/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { ledgerKey, refillKey } from './keys.js';
import { redisLease, type Term } from './lease.js';
import { redisLedgerTail, type LedgerTail, type TailEntry } from './ledger-tail.js';
import { freshRunId, startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
let run: RunId;
let tail: LedgerTail;
let term: Term;

const genesis = { step: -1, mathHash: 'genesis' };
const one = coordinatorId('one');
const two = coordinatorId('two');
const at = { address: 'a', coordinators: [] };

const hashOf = (step: number): string => (step < 0 ? 'genesis' : `h${step}`);
const entry = (step: number, text = `entry ${step} "☂"`): TailEntry => ({
  ...{ step, prevMathHash: hashOf(step - 1), mathHash: hashOf(step) },
  entry: text,
});
const chain = (from: number, to: number): TailEntry[] =>
  Array.from({ length: to - from + 1 }, (_, index) => entry(from + index));

async function acquire(leader = one, leaseMs = 60_000): Promise<Term> {
  const result = await redisLease(connection, run).acquire(leader, at, leaseMs);
  if (result.kind !== 'acquired') throw new Error('not acquired');
  return result.term;
}

async function loseLease(): Promise<void> {
  await redisLease(connection, run).release(term);
}

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
});
beforeEach(async () => {
  run = freshRunId();
  tail = redisLedgerTail(connection, run);
  term = await acquire();
});
afterAll(() => redis.stop());

describe('appending', () => {
  beforeEach(() => tail.refill(term, genesis, []));

  it('starts after genesis and moves the head by one entry at a time', async () => {
    expect(await tail.head()).toEqual(genesis);
    expect(await tail.append(term, entry(0))).toEqual({ kind: 'ok' });
    expect(await tail.append(term, entry(1))).toEqual({ kind: 'ok' });
    expect(await tail.head()).toEqual({ step: 1, mathHash: 'h1' });
    expect(await tail.range(0, 1)).toEqual(chain(0, 1));
  });

  it('answers a repeated append with the entry that is there: a lost reply is success', async () => {
    await tail.append(term, entry(0));
    expect(await tail.append(term, entry(0))).toEqual({ kind: 'have', entry: entry(0) });
    expect(await tail.head()).toEqual({ step: 0, mathHash: 'h0' });
  });

  it('keeps the first entry of a step and hands it to a replay, whatever that computed', async () => {
    await tail.refill(term, genesis, chain(0, 5));
    const other = { ...entry(3), mathHash: 'other', entry: 'other' };
    expect(await tail.append(term, other)).toEqual({ kind: 'have', entry: entry(3) });
    expect(await tail.range(3, 3)).toEqual([entry(3)]);
  });

  it('refuses a step beyond the next one', async () => {
    await tail.append(term, entry(0));
    expect(await tail.append(term, entry(2))).toEqual({ kind: 'behind', head: { step: 0, mathHash: 'h0' } });
  });

  it('refuses the next step of another chain', async () => {
    await tail.append(term, entry(0));
    const fork = { ...entry(1), prevMathHash: 'other' };
    expect(await tail.append(term, fork)).toEqual({ kind: 'mismatch', head: { step: 0, mathHash: 'h0' } });
    expect(await tail.head()).toEqual({ step: 0, mathHash: 'h0' });
  });

  it('is fenced for a deposed leader, who changes nothing and learns who leads', async () => {
    await loseLease();
    const next = await acquire(two);
    expect(await tail.append(term, entry(0))).toMatchObject({ kind: 'fenced', holder: next });
    expect(await tail.head()).toEqual(genesis);
    expect(await tail.append(next, entry(0))).toEqual({ kind: 'ok' });
    expect(await tail.append(term, entry(0))).toMatchObject({ kind: 'fenced' });
  });

  it('is fenced when the lease has expired and nobody took it', async () => {
    await loseLease();
    const brief = await acquire(one, 30);
    await until('the lease expires', async () => (await redisLease(connection, run).read()) === null);
    expect(await tail.append(brief, entry(0))).toEqual({ kind: 'fenced', holder: null });
  });

  it.each([
    ['an older number of the same leader', (): Term => ({ ...term, number: term.number - 1 })],
    ['the same number of another leader', (): Term => ({ ...term, leader: two })],
  ])('is fenced for %s', async (_case, stale) => {
    expect(await tail.append(stale(), entry(0))).toMatchObject({ kind: 'fenced', holder: term });
  });

  it('writes nothing at all when Redis is out of memory', async () => {
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '1'));
    await expect(tail.append(term, entry(0))).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '0'));
    expect(await tail.head()).toEqual(genesis);
    expect(await connection.call('exists', (c) => c.exists(ledgerKey(run)))).toBe(0);
  });

  it('keeps two runs of one Redis apart', async () => {
    await tail.append(term, entry(0));
    expect(await redisLedgerTail(connection, freshRunId()).head()).toBeNull();
  });
});

describe('a Redis that lost the ledger', () => {
  it('is behind with nothing, and refilled by whoever holds the lease', async () => {
    await tail.refill(term, genesis, chain(0, 9));
    await connection.call('flush', (c) => c.flushall());
    expect(await tail.append(term, entry(10))).toEqual({ kind: 'fenced', holder: null });
    term = await acquire();
    expect(await tail.append(term, entry(10))).toEqual({ kind: 'behind', head: null });
    expect(await tail.refill(term, hashBase(4), chain(5, 9))).toEqual({ kind: 'ok' });
    expect(await tail.append(term, entry(10))).toEqual({ kind: 'ok' });
    expect(await tail.range(0, 10)).toEqual(chain(5, 10));
    expect(await tail.append(term, entry(3))).toEqual({ kind: 'have', entry: null });
  });

  it('keeps what it acknowledged when it is killed and started again', async () => {
    await tail.refill(term, genesis, chain(0, 3));
    await tail.append(term, entry(4));
    await redis.kill();
    await redis.restart();
    await until('the connection is back', () => connection.isReady);
    expect(await tail.head()).toEqual({ step: 4, mathHash: 'h4' });
    expect(await tail.append(term, entry(5))).toEqual({ kind: 'ok' });
  });
});

const hashBase = (step: number): { step: number; mathHash: string } => ({ step, mathHash: hashOf(step) });

describe('refilling', () => {
  it('replaces an older copy, many entries at once, and lasts', async () => {
    await tail.refill(term, genesis, chain(0, 3));
    expect(await tail.refill(term, genesis, chain(0, 999))).toEqual({ kind: 'ok' });
    expect(await tail.head()).toEqual(hashBase(999));
    expect(await tail.range(0, 999)).toEqual(chain(0, 999));
    expect(await connection.call('ttl', (c) => c.pttl(ledgerKey(run)))).toBe(-1);
  });

  it('is the same when it is repeated', async () => {
    await tail.refill(term, genesis, chain(0, 3));
    expect(await tail.refill(term, genesis, chain(0, 3))).toEqual({ kind: 'ok' });
    expect(await tail.range(0, 3)).toEqual(chain(0, 3));
  });

  it('may start above what an old copy holds', async () => {
    await tail.refill(term, genesis, chain(0, 3));
    expect(await tail.refill(term, hashBase(9), chain(10, 12))).toEqual({ kind: 'ok' });
    expect(await tail.range(0, 12)).toEqual(chain(10, 12));
  });

  it('does not shorten a longer ledger', async () => {
    await tail.refill(term, genesis, chain(0, 5));
    expect(await tail.refill(term, genesis, chain(0, 4))).toEqual({ kind: 'ahead', head: hashBase(5) });
    expect(await tail.range(0, 5)).toEqual(chain(0, 5));
  });

  it.each([
    ['among the new entries', genesis, chain(0, 5)],
    ['just below the new entries', hashBase(2), chain(3, 5)],
  ])('does not replace other mathematics %s', async (_case, base, entries) => {
    const odd = { ...entry(2), mathHash: 'odd' };
    await tail.refill(term, genesis, [entry(0), entry(1), odd]);
    expect(await tail.refill(term, base, entries)).toEqual({
      kind: 'mismatch',
      head: { step: 2, mathHash: 'odd' },
    });
    expect(await tail.head()).toEqual({ step: 2, mathHash: 'odd' });
  });

  it('is fenced for a deposed leader, before and after its entries were staged', async () => {
    await loseLease();
    await acquire(two);
    expect(await tail.refill(term, genesis, chain(0, 3))).toMatchObject({ kind: 'fenced' });
    expect(await tail.refill(term, genesis, [])).toMatchObject({ kind: 'fenced' });
    expect(await tail.head()).toBeNull();
    expect(await connection.call('exists', (c) => c.exists(refillKey(run, term.number, one)))).toBe(0);
  });

  it('takes a chain with a gap for a broken assumption', async () => {
    await expect(tail.refill(term, genesis, [entry(0), entry(2)])).rejects.toThrow(/entry 2 follows entry 0/);
  });
});

describe('cutting', () => {
  it('removes the steps below and answers replays of them with null', async () => {
    await tail.refill(term, genesis, chain(0, 600));
    expect(await tail.cut(term, 590)).toEqual({ kind: 'ok', firstStep: 590 });
    expect(await tail.range(0, 600)).toEqual(chain(590, 600));
    expect(await tail.append(term, entry(589))).toEqual({ kind: 'have', entry: null });
    expect(await tail.append(term, entry(601))).toEqual({ kind: 'ok' });
  });

  it('keeps the newest entry, and cutting lower again does nothing', async () => {
    await tail.refill(term, genesis, chain(0, 5));
    expect(await tail.cut(term, 100)).toEqual({ kind: 'ok', firstStep: 5 });
    expect(await tail.cut(term, 2)).toEqual({ kind: 'ok', firstStep: 5 });
    expect(await tail.range(0, 5)).toEqual([entry(5)]);
  });

  it('is fenced for a deposed leader', async () => {
    await tail.refill(term, genesis, chain(0, 5));
    await loseLease();
    await acquire(two);
    expect(await tail.cut(term, 3)).toMatchObject({ kind: 'fenced' });
    expect(await tail.range(0, 5)).toEqual(chain(0, 5));
  });
});
