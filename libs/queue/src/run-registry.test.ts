import { runId, type RunId } from '@cria/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisConnection } from './connection.js';
import { headKey, RUNS_KEY, runPrefix } from './keys.js';
import type { RunRecord } from './run-record.js';
import { redisRunRegistry, type RunRegistry } from './run-registry.js';
import { freshRunId, startRedisFixture, type RedisFixture } from './testing/redis-fixture.js';

let redis: RedisFixture;
let connection: RedisConnection;
let registry: RunRegistry;

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect();
  registry = redisRunRegistry(connection);
});
beforeEach(() => connection.call('flush', (c) => c.flushall()));
afterAll(() => redis.stop());

const a = runId('aaaa');
const b = runId('bbbb');
const claim = (proposedId: RunId, genesis = 'g1'): ReturnType<RunRegistry['claimRun']> =>
  registry.claimRun({ name: 'quick', genesis, proposedId });
const record = (id: RunId, changes: Partial<RunRecord> = {}): RunRecord => ({
  ...{ name: 'quick', id, genesis: 'g1', state: 'running', sinceMs: 1000 },
  ...changes,
});
const setSteps = (id: RunId, steps: number): Promise<number> =>
  connection.call('set', (c) => c.hset(headKey(id), 'step', String(steps - 1)));

describe('claiming a run', () => {
  it('takes a free name and stores it as PROTOCOL says', async () => {
    expect(await claim(a)).toMatchObject({ kind: 'claimed', record: { id: a }, replaced: null });
    const stored = await connection.call('read', (c) => c.hget(RUNS_KEY, 'quick'));
    expect(JSON.parse(stored ?? '')).toEqual({
      ...{ id: a, genesis: 'g1', state: 'running' },
      since: expect.any(Number),
    });
  });

  it('answers the same when it is repeated after a lost reply', async () => {
    const first = await claim(a);
    expect(await claim(a)).toEqual(first);
  });

  it('joins the run of the same name and genesis, also a stopped one', async () => {
    await claim(a);
    expect(await claim(b)).toMatchObject({ kind: 'joined', record: { id: a } });
    await registry.setRunState(a, 'stopped');
    expect(await claim(b)).toMatchObject({ kind: 'joined', record: { id: a, state: 'stopped' } });
  });

  it('is refused with both fingerprints when the name belongs to other mathematics', async () => {
    await claim(a);
    expect(await claim(b, 'g2')).toMatchObject({
      kind: 'mismatch',
      stored: { id: a, genesis: 'g1' },
      askedGenesis: 'g2',
    });
    expect(await registry.listRuns()).toHaveLength(1);
  });

  it.each(['g1', 'g2'])('makes a finished run give way to a new id (genesis %s)', async (genesis) => {
    await claim(a);
    await registry.setRunState(a, 'finished');
    expect(await claim(b, genesis)).toMatchObject({
      kind: 'claimed',
      record: { id: b },
      replaced: { id: a },
    });
    expect(await registry.listRuns()).toMatchObject([{ id: b, genesis, state: 'running' }]);
  });

  it('lets exactly one of many that start together found the run, and the others join it', async () => {
    const ids = Array.from({ length: 12 }, freshRunId);
    const results = await Promise.all(ids.map((id) => claim(id)));
    expect(results.filter((result) => result.kind === 'claimed')).toHaveLength(1);
    const [run] = await registry.listRuns();
    for (const result of results) expect(result).toMatchObject({ record: { id: run?.id } });
  });
});

describe('resuming a run', () => {
  const resume = (genesis = 'g1', steps = 0): ReturnType<RunRegistry['claimRun']> =>
    registry.claimRun({ name: 'quick', genesis, proposedId: b, resumeId: a, steps });

  it('joins by id whatever its state and its name now', async () => {
    await registry.refillRun(record(a, { name: 'renamed', state: 'finished' }), 5);
    expect(await resume()).toMatchObject({ kind: 'joined', record: { id: a, name: 'renamed' } });
  });

  it('is refused when the id stands for another genesis', async () => {
    await claim(a);
    expect(await resume('g2')).toMatchObject({ kind: 'mismatch', stored: { id: a }, askedGenesis: 'g2' });
  });

  it('claims its old id again when Redis has forgotten it', async () => {
    expect(await resume()).toMatchObject({ kind: 'claimed', record: { id: a, name: 'quick' } });
  });

  it('gets another name when a run with more steps has its name by now', async () => {
    await claim(b);
    await setSteps(b, 50);
    expect(await resume('g1', 40)).toMatchObject({
      kind: 'renamed',
      record: { id: a, name: 'quick-2' },
      keeper: { id: b, name: 'quick' },
    });
  });
});

describe('refilling a run after Redis lost it', () => {
  it('puts it back, and again without a change', async () => {
    expect(await registry.refillRun(record(a), 3)).toEqual({ kind: 'kept', record: record(a) });
    expect(await registry.refillRun(record(a), 4)).toEqual({ kind: 'kept', record: record(a) });
    expect(await registry.listRuns()).toEqual([record(a)]);
  });

  it('gives the name to the run with more steps and renames the other to a free one', async () => {
    await registry.refillRun(record(b), 0);
    await registry.refillRun(record(freshRunId(), { name: 'quick-2' }), 0);
    await setSteps(b, 10);
    expect(await registry.refillRun(record(a), 11)).toMatchObject({
      kind: 'took',
      record: { name: 'quick', id: a },
      displaced: { name: 'quick-3', id: b },
    });
    const names = (await registry.listRuns()).map(({ name, id }) => [name, id]);
    expect(names).toContainEqual(['quick', a]);
    expect(names).toContainEqual(['quick-3', b]);
  });

  it('keeps its new name when it is refilled under the old one', async () => {
    await registry.refillRun(record(b), 0);
    await setSteps(b, 10);
    expect(await registry.refillRun(record(a), 9)).toMatchObject({
      kind: 'renamed',
      record: { name: 'quick-2' },
    });
    expect(await registry.refillRun(record(a), 9)).toMatchObject({
      kind: 'kept',
      record: { name: 'quick-2' },
    });
  });

  it('prefers the earlier start at equal steps', async () => {
    await registry.refillRun(record(b, { sinceMs: 2000 }), 0);
    expect(await registry.refillRun(record(a, { sinceMs: 1999 }), 0)).toMatchObject({ kind: 'took' });
  });
});

describe('the list of runs', () => {
  it('is sorted by age and skips what none of us wrote', async () => {
    await registry.refillRun(record(b, { name: 'young', sinceMs: 2 }), 0);
    await registry.refillRun(record(a, { name: 'old', sinceMs: 1 }), 0);
    await connection.call('write', (c) => c.hset(RUNS_KEY, 'x', 'nonsense', 'y', '{"id":"a:b"}'));
    expect((await registry.listRuns()).map((run) => run.name)).toEqual(['old', 'young']);
  });

  it('forgets one run with all its keys and leaves the other alone', async () => {
    await claim(a);
    await registry.refillRun(record(b, { name: 'other' }), 0);
    const keys = [`${runPrefix(a)}:x`, `${runPrefix(b)}:x`];
    await connection.call('write', (c) => c.mset(keys[0] ?? '', '1', keys[1] ?? '', '1'));
    await registry.forgetRun(a);
    expect((await registry.listRuns()).map((run) => run.id)).toEqual([b]);
    expect(await connection.call('read', (c) => c.mget(keys))).toEqual([null, '1']);
  });

  it('says so when a state is set for a run that is not there', async () => {
    expect(await registry.setRunState(a, 'stopped')).toBe(false);
  });
});
