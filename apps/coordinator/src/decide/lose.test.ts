import { workerId } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { A, B, Bench, C, twoAtWork } from './leader-bench.js';

describe('loss of a member', () => {
  it('grants only its slots again; the other keeps its work', () => {
    const bench = twoAtWork();
    const ofB = bench.slotsGrantedTo(B);
    for (const slot of bench.slotsGrantedTo(A)) bench.done(A, slot);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    expect(bench.slotsGrantedTo(A).sort()).toEqual(ofB);
    expect(bench.did('exchange')).toMatchObject([{ attempt: 2 }]);
    expect(bench.did('exchange')[0]?.sets).toMatchObject([{ worker: A, slots: [0, 1, 2, 3] }]);
  });

  it('commits when all who are left have prepared', () => {
    const bench = twoAtWork().prepared(A).on({ kind: 'disconnected', worker: B, why: 'gone' });
    expect(bench.did('append')).toMatchObject([{ step: 0 }]);
    expect(bench.did('grant')).toEqual([]);
  });

  it('lets the others copy from whoever has prepared; nothing is computed again (H12)', () => {
    const bench = new Bench({ target: 3, rules: { slots: 6 } }).hello(A).hello(B).hello(C);
    bench.prepared(A).on({ kind: 'disconnected', worker: C, why: 'gone' });
    expect(bench.did('grant')).toEqual([]);
    expect(bench.did('exchange')).toMatchObject([{ from: [A], attempt: 2 }]);
  });

  it('computes the whole step again under onLoss: discard, whoever has prepared', () => {
    const bench = new Bench({ rules: { onLoss: 'discard' } }).hello(A).hello(B).prepared(A);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    expect(bench.did('append')).toEqual([]);
    expect(bench.did('welcome')).toMatchObject([{ worker: A, keep: [] }]);
    for (let slot = 0; slot < 4; slot++) bench.done(A, slot);
    expect(bench.state.exchange).toMatchObject({ void: true, from: [] });
    expect([...(bench.state.exchange?.sets ?? [])]).toEqual([[A, [0, 1, 2, 3]]]);
    expect(bench.prepared(A).did('append')).toHaveLength(1);
  });

  it('has the state of whoever is left alone written down, and again only after ten times as long', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    expect(bench.did('pull-checkpoint')).toEqual([]);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    bench.prepared(A).appended(1);
    const alone = { step: 2, stripes: [{ worker: A, firstPart: 0, endPart: 6 }] };
    expect(bench.did('pull-checkpoint')).toMatchObject([alone]);
    expect(bench.did('commit')).toMatchObject([{ stripes: alone.stripes }]);
    bench.on({ kind: 'checkpoint-written', step: 2 }, 100);
    expect(bench.prepared(A).appended(2).did('pull-checkpoint')).toEqual([]);
    for (const afterMs of [200, 1000]) {
      bench.hello(B, { empty: false, position: bench.state.next, stateDigest: '' });
      bench.prepared(A).prepared(B).appended();
      bench.prepared(A).prepared(B).appended();
      bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
      bench.on({ kind: 'contact', worker: A }, afterMs).prepared(A).appended();
      expect(bench.did('pull-checkpoint')).toHaveLength(afterMs > 900 ? 1 : 0);
    }
  });

  it('gives a newcomer up that is stuck in its first slot, far beyond what the slowest needs', () => {
    const bench = twoAtWork().done(A, 0).done(A, 2);
    const ofB = bench.state.slots.find((slot) => slot.kind === 'granted' && slot.worker === B);
    expect(ofB).toBeDefined();
    const beat = (ms: number): Bench => {
      for (const worker of [A, B]) bench.on({ kind: 'contact', worker }, ms / 2);
      return bench.on({ kind: 'tick' });
    };
    for (let ms = 0; ms < 9000; ms += 1000) beat(1000);
    expect(bench.state.workers.has(B)).toBe(true);
    for (let ms = 0; ms < 2000; ms += 1000) beat(1000);
    expect(bench.state.workers.has(B)).toBe(false);
  });

  it('takes silence for death after suspectMs', () => {
    const bench = twoAtWork().on({ kind: 'contact', worker: A }, 2500).on({ kind: 'tick' }, 600);
    expect(bench.did('evict')).toMatchObject([{ worker: B }]);
  });

  it('opens the seat at once (H10)', () => {
    const bench = twoAtWork();
    expect(bench.state.seatsWaiting).toBe(0);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    expect(bench.did('seats')).toMatchObject([{ waiting: 1 }]);
  });

  it('keeps a seat open for the next, however late Redis says that the first was taken', () => {
    const bench = new Bench({ target: 2 }).hello(A, { seat: 'seat-1' });
    bench.on({ kind: 'invitations-taken', seats: ['seat-1'] });
    expect(bench.state.seatsWaiting).toBe(1);
    bench.on({ kind: 'invitations-taken', seats: ['seat-1', 'seat-2'] });
    expect(bench.state.seatsWaiting).toBe(0);
    bench.hello(B, { seat: 'seat-2' });
    expect(bench.state.seatsWaiting).toBe(0);
  });

  it('stops the run by name when three workers died over one slot (H17)', () => {
    const bench = new Bench({ target: 1 });
    for (const name of ['x', 'y', 'z']) {
      const worker = workerId(name);
      bench.hello(worker).on({ kind: 'disconnected', worker, why: 'gone' });
    }
    expect(bench.did('finish')).toMatchObject([{ ending: 'failed' }]);
    expect(bench.state.failure).toMatch(/slot \d of step 0/);
  });
});
