import { describe, expect, it } from 'vitest';
import { A, B, Bench, C, twoAtWork } from './leader-bench.js';

/** Members at step 1 who have applied step 0. */
function appliedAt1(...digests: ReadonlyArray<readonly [worker: typeof A, digest: string]>): Bench {
  const bench = new Bench({ target: digests.length });
  for (const [worker] of digests) bench.hello(worker);
  for (const slot of [0, 1, 2, 3]) for (const [worker] of digests) bench.done(worker, slot);
  for (const [worker] of digests) bench.prepared(worker);
  bench.appended(0);
  for (const [worker, stateDigest] of digests) bench.applied(worker, stateDigest);
  return bench;
}

describe('states that differ after an apply', () => {
  it('of three: the minority goes, and nothing that was computed counts', () => {
    const bench = appliedAt1([A, 's1'], [B, 's1'], [C, 'x']);
    expect(bench.did('evict')).toMatchObject([{ worker: C, mayReturn: true }]);
    expect([...bench.state.workers.keys()]).toEqual([A, B]);
    expect(bench.state.voidNext || bench.state.newestVoid !== null).toBe(true);
  });

  it('of two: nobody can tell, so both begin anew from the newest checkpoint', () => {
    const bench = appliedAt1([A, 's1'], [B, 'x']);
    expect(bench.did('evict').map(({ worker }) => worker)).toEqual([A, B]);
    bench.hello(A).hello(B);
    expect(bench.state.next).toBe(0);
    expect(bench.did('append')).toEqual([]);
  });

  it('below the head the ledger tells', () => {
    const bench = new Bench({ head: 2, target: 1 });
    bench.on({ kind: 'tick' }, 2000).hello(A);
    bench.prepared(A).appended(0).applied(A, 'x');
    expect(bench.did('evict')).toMatchObject([{ worker: A }]);
  });
});

describe('a copy of the state', () => {
  function copiedFromA(stateDigest: string): Bench {
    const bench = appliedAt1([A, 's1']);
    bench.on({ kind: 'desired', desired: { ...bench.state.desired, revision: 2, target: 2 } });
    return bench.hello(B).hello(B, { empty: false, position: 1, stateDigest });
  }

  it('that is not what its donor wrote goes: the donor has been damaged since, and may be gone tomorrow', () => {
    const bench = copiedFromA('x');
    expect(bench.did('evict')).toMatchObject([{ worker: B, mayReturn: true }]);
    expect(bench.state.workers.has(A)).toBe(true);
    // A reads its state again, and is found out although it waits at rest.
    expect(bench.did('store')).toMatchObject([{ to: [A], step: 1, stripes: [] }]);
    expect(bench.applied(A, 'x').did('evict')).toMatchObject([{ worker: A, mayReturn: true }]);
  });

  it('that is what its donor wrote stays', () => {
    expect(copiedFromA('s1').did('evict')).toEqual([]);
  });
});

describe('what Prepare says', () => {
  it('against its own Applied digest sends the worker away, of two', () => {
    const bench = appliedAt1([A, 's1'], [B, 's1']).prepared(A).prepared(B, { stateDigest: 'x' });
    expect(bench.did('evict')).toMatchObject([{ worker: B }]);
    expect(bench.did('append')).toEqual([]);
    expect(bench.state.slots.every((slot) => slot.kind !== 'done')).toBe(true);
  });

  it('does so when there is only one, who agrees with itself', () => {
    const bench = appliedAt1([A, 's1']);
    for (const slot of [0, 1, 2, 3]) bench.done(A, slot);
    bench.prepared(A, { stateDigest: 'x' });
    expect(bench.did('evict')).toMatchObject([{ worker: A }]);
    expect(bench.did('append')).toEqual([]);
  });

  it('of another sum: the minority of three goes; of two the sum is made again, and then both begin anew', () => {
    const three = appliedAt1([A, 's1'], [B, 's1'], [C, 's1']);
    three.prepared(A).prepared(B, { gradDigest: 'x' }).prepared(C);
    expect(three.did('evict')).toMatchObject([{ worker: B }]);
    const two = appliedAt1([A, 's1'], [B, 's1']).prepared(A).prepared(B, { gradDigest: 'x' });
    expect(two.did('evict')).toEqual([]);
    expect(two.did('exchange')).toMatchObject([{ void: true, from: [] }]);
    two.prepared(A).prepared(B, { gradDigest: 'x' });
    expect(two.did('evict').map(({ worker }) => worker)).toEqual([A, B]);
  });
});

describe('a void Exchange', () => {
  it('counts nothing that was prepared before it, however late it is said', () => {
    const bench = twoAtWork().prepared(A).prepared(B, { gradDigest: 'x' });
    const stale = { mark: { termNumber: 3, attempt: 1 } };
    bench.prepared(A, stale).prepared(B, stale);
    expect(bench.did('append')).toEqual([]);
    bench.prepared(A).prepared(B);
    expect(bench.did('append')).toMatchObject([{ attempt: 2 }]);
  });

  it('is learned by a new leader from whoever obeyed it', () => {
    const reduced = {
      ...{ step: 0, gradDigest: 'x', gradNormBits: 'n', stateDigest: 's0', report: new Uint8Array() },
      slotFacts: () => ({ flagged: false, digest: '' }),
      mark: { termNumber: 2, attempt: 4 },
    };
    const bench = new Bench().hello(A, { empty: false, reduced });
    expect(bench.state.prepared.has(A)).toBe(true);
    bench.hello(B, { empty: false, newestVoid: { termNumber: 2, attempt: 5 } });
    expect(bench.state.prepared.has(A)).toBe(false);
  });
});

describe('a state read again at rest', () => {
  it('that has changed sends its worker away: no checkpoint is made of it', () => {
    const bench = appliedAt1([A, 's1'], [B, 's1']);
    bench.applied(B, 'x');
    expect(bench.did('evict')).toMatchObject([{ worker: B }]);
  });
});

describe('a state that the ledger contradicts', () => {
  it('is refused, so that its worker comes back without one', () => {
    const bench = new Bench({ head: 5 }).hello(A, { empty: false, position: 3, stateDigest: 'x' });
    expect(bench.did('evict')).toMatchObject([{ worker: A, mayReturn: true }]);
    bench.hello(B, { empty: false, position: 5, mathHash: 'x' });
    expect(bench.did('evict')).toMatchObject([{ worker: B, mayReturn: true }]);
    bench.hello(C, { empty: false, position: 5 });
    expect(bench.did('evict')).toEqual([]);
  });
});

describe('a replay below the head', () => {
  it('ends when a survivor comes who is further on the same way', () => {
    const bench = new Bench({ head: 5 });
    bench.on({ kind: 'tick' }, 2000).hello(A).on({ kind: 'tick' }, 40_000);
    bench.hello(A);
    expect(bench.state.next).toBe(0);
    bench.hello(B, { empty: false, position: 5 });
    expect(bench.state.next).toBe(5);
    expect(bench.state.workers.get(B)?.role).toBe('member');
    expect(bench.state.workers.get(A)?.role).toBe('shadow');
  });
});

describe('a member that applies far longer than it usually does', () => {
  it('is taken for lost, though its heart beats', () => {
    const bench = appliedAt1([A, 's1'], [B, 's1']).prepared(A).prepared(B).appended(1).applied(A, 's2');
    for (let waitedMs = 0; waitedMs < 3500; waitedMs += 500)
      for (const worker of [A, B]) bench.on({ kind: 'contact', worker }, 250);
    bench.on({ kind: 'tick' });
    const [evicted] = bench.did('evict').filter(({ worker }) => worker === B);
    expect(evicted?.why).toContain('applies');
  });
});
