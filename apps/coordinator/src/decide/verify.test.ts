import { describe, expect, it } from 'vitest';
import { A, B, Bench, C, gradientOf } from './leader-bench.js';
import { isSampled } from './sample.js';

const ALL = { recomputeFraction: 1 };

/** Every slot of the step is done by whoever was granted it. */
function allDone(bench: Bench): Bench {
  for (let turn = 0; turn < 4; turn++)
    bench.state.slots.forEach((slot, k) => {
      if (slot.kind === 'granted') bench.done(slot.worker, k);
    });
  return bench;
}

/** Answers every spare that was asked, with what `digest` says. */
function answered(
  bench: Bench,
  digest: (worker: typeof A, slot: number) => string = (_, slot) => `d${slot}`,
): Bench {
  for (let turn = 0; turn < 8; turn++)
    for (const [slot, spares] of bench.state.spares)
      for (const spare of [...spares])
        if (spare.digest === null) bench.spare(spare.worker, slot, digest(spare.worker, slot));
  return bench;
}

describe('sampled slots', () => {
  it('are a share of all, the same for every leader', () => {
    const at = (slot: number) => ({ genesis: 'abc', step: 7, slot });
    const sampled = Array.from({ length: 10_000 }, (_, slot) => isSampled(at(slot), 0.1));
    const share = sampled.filter(Boolean).length / 10_000;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
    expect(sampled).toEqual(Array.from({ length: 10_000 }, (_, slot) => isSampled(at(slot), 0.1)));
    expect(isSampled(at(0), 0)).toBe(false);
    expect(isSampled(at(0), 1)).toBe(true);
  });

  it('are computed by another worker too, and the commit waits for that', () => {
    const bench = allDone(new Bench({ rules: ALL }).hello(A).hello(B));
    for (const [slot, [spare]] of bench.state.spares) {
      const record = bench.state.slots[slot];
      expect(record?.kind !== 'open' && record?.worker).not.toBe(spare?.worker);
    }
    bench.prepared(A).prepared(B);
    expect(bench.did('append')).toEqual([]);
    answered(bench);
    expect(bench.did('append')).toMatchObject([{ step: 0, recomputed: [0, 1, 2, 3] }]);
  });

  it('are computed twice by the same worker when there is no other', () => {
    const bench = allDone(new Bench({ rules: ALL, target: 1 }).hello(A)).prepared(A);
    expect(bench.did('append')).toEqual([]);
    expect(answered(bench).did('append')).toMatchObject([{ step: 0 }]);
  });

  it('of a worker that dies before it answers are asked of another', () => {
    const bench = allDone(new Bench({ rules: ALL, target: 3 }).hello(A).hello(B).hello(C));
    bench.prepared(A).prepared(B).prepared(C);
    const [slot, [asked]] = [...bench.state.spares].find(([, [spare]]) => spare?.worker === C) ?? [0, []];
    expect(asked?.worker).toBe(C);
    bench.on({ kind: 'disconnected', worker: C, why: 'gone' });
    expect(
      answered(bench)
        .state.spares.get(slot)
        ?.some(({ worker }) => worker !== C),
    ).toBe(true);
  });

  it('of a worker that died after its share was summed are computed again by whoever has the sum', () => {
    const bench = new Bench({ rules: ALL, target: 1 });
    const reduced = gradientOf(0, { mark: { termNumber: 2, attempt: 4 } });
    bench.hello(A, { empty: false, has: [0, 1], reduced });
    expect(bench.did('append')).toEqual([]);
    expect(answered(bench).did('append')).toMatchObject([{ step: 0, recomputed: [0, 1, 2, 3] }]);
  });

  it('that a worker still knows after its leader died are not computed again', () => {
    const spares = [{ slot: 1, digest: 'd1' }];
    const bench = new Bench({ rules: { ...ALL, workersMin: 2 } }).hello(A, { empty: false, has: [0, 1] });
    bench.hello(B, { empty: false, has: [2, 3], spares });
    expect(bench.state.spares.get(1)).toContainEqual({ worker: B, digest: 'd1' });
  });
});

describe('a flagged slot', () => {
  it('is computed again elsewhere before its step is committed, whatever the sample', () => {
    const bench = new Bench().hello(A).hello(B);
    const slot = bench.state.slots.findIndex((record) => record.kind === 'granted' && record.worker === A);
    bench.done(A, slot, { flagged: true });
    for (const [k, record] of bench.state.slots.entries())
      if (record.kind === 'granted' && record.worker === B && bench.sparesGranted().length === 0)
        bench.done(B, k);
    expect(bench.sparesGranted()).toEqual([[B, slot]]);
  });
});

describe('two computations that differ', () => {
  it('of three workers: a third one decides, the culprit goes, and the next Exchange is void', () => {
    const bench = allDone(new Bench({ rules: ALL, target: 3 }).hello(A).hello(B).hello(C));
    bench.prepared(A).prepared(B).prepared(C);
    // B computes everything wrongly, as second computations show.
    const evicted: string[] = [];
    for (let turn = 0; turn < 12 && evicted.length === 0; turn++)
      for (const [slot, spares] of [...bench.state.spares])
        for (const spare of [...spares]) {
          if (spare.digest !== null || evicted.length > 0) continue;
          bench.spare(spare.worker, slot, spare.worker === B ? 'x' : `d${slot}`);
          evicted.push(...bench.did('evict').map(({ worker }) => worker));
        }
    expect(evicted).toEqual([B]);
    expect(bench.did('append')).toEqual([]);
    expect(bench.state.newestVoid).not.toBeNull();
  });

  it('of two workers: both begin anew; when it happens again the run stops by name', () => {
    const bench = new Bench({ rules: { ...ALL, slots: 2 } });
    for (let life = 0; life < 2; life++) {
      allDone(bench.hello(A).hello(B)).prepared(A).prepared(B);
      if (life === 0) {
        answered(bench, () => 'x');
        expect(bench.state.workers.size).toBe(0);
      }
    }
    answered(bench, () => 'x');
    expect(bench.state.failure).toMatch(/slot \d of step 0 differ again/);
    expect(bench.state.phase).toBe('ended');
  });
});

describe('a newcomer', () => {
  it('gets nothing to add before a slot of it came out as another worker did', () => {
    const bench = new Bench({ head: 5, target: 2 }).hello(A, { empty: false, position: 5 });
    bench.on({ kind: 'tick' }, 2000);
    bench.hello(A, { empty: false, position: 5 }).hello(B);
    expect(bench.state.workers.get(B)?.role).toBe('shadow');
    bench.hello(B, { empty: false, position: 5 });
    expect(bench.state.workers.get(B)?.isUnproven).toBe(true);
    expect(bench.slotsGrantedTo(B)).toEqual([]);
    const [[worker, slot] = [null, -1]] = bench.sparesGranted();
    expect(worker).toBe(B);
    bench.done(A, slot).spare(B, slot);
    expect(bench.state.workers.get(B)?.isUnproven).toBe(false);
    expect(bench.slotsGrantedTo(B).length).toBeGreaterThan(0);
  });
});

describe('a straggler', () => {
  it('gives back what it has not begun, and another computes it under a new exchange', () => {
    const bench = new Bench().hello(A).hello(B);
    const ofA = bench.slotsGrantedTo(A).length > 0 ? bench.slotsGrantedTo(A) : [0, 2];
    const ofB = bench.state.slots.flatMap((slot, k) =>
      slot.kind === 'granted' && slot.worker === B ? [k] : [],
    );
    for (const slot of ofB) bench.done(B, slot);
    expect(bench.did('release')).toEqual([]);
    bench.on({ kind: 'tick' }, 900);
    const [release] = bench.did('release');
    expect(release).toMatchObject({ worker: A, slot: ofA.at(-1) });
    bench.on({ kind: 'tick' }, 100);
    expect(bench.did('release')).toEqual([]);
    bench.on({ kind: 'released', worker: A, step: 0, slot: release?.slot ?? -1 });
    expect(bench.slotsGrantedTo(B)).toEqual([release?.slot]);
    expect(bench.did('exchange')).toMatchObject([{ attempt: 2, void: false }]);
  });
});

describe('workers that die as soon as they come', () => {
  it('get their seats back at once a few times, then more and more slowly', () => {
    const bench = new Bench({ target: 2 }).hello(A);
    const openAfterDeath = (): number[] => {
      bench.hello(B).on({ kind: 'disconnected', worker: B, why: 'gone' }, 1);
      return bench.did('seats').map(({ waiting }) => waiting);
    };
    for (let death = 0; death < 3; death++) expect(openAfterDeath()).toEqual([1]);
    expect(openAfterDeath()).toEqual([]);
    bench.on({ kind: 'contact', worker: A }, 2900).on({ kind: 'tick' }, 200);
    expect(bench.did('seats').map(({ waiting }) => waiting)).toEqual([1]);
  });
});
