import { type WorkerId } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import type { LeaderEvent } from './leader-events.js';
import { A, B, Bench, C, gradientOf, RULES, twoAtWork } from './leader-bench.js';

describe('the first step', () => {
  it('waits for the target before it grants, and begins without it after startWaitMs', () => {
    const bench = new Bench().hello(A);
    expect(bench.did('grant')).toEqual([]);
    expect(bench.state.waitingFor).toContain('2 workers');
    bench.on({ kind: 'tick' }, 2000).on({ kind: 'contact', worker: A });
    for (let waitedMs = 0; waitedMs < 30_000; waitedMs += 1000)
      bench.on({ kind: 'contact', worker: A }, 1000).on({ kind: 'tick' });
    expect(bench.state.slots.some((slot) => slot.kind === 'granted')).toBe(true);
  });

  it('grants to both and sends the Exchange with the last grant, its sets disjoint and complete', () => {
    const bench = twoAtWork();
    expect(bench.slotsGrantedTo(A).length).toBe(2);
    expect(bench.slotsGrantedTo(B).length).toBe(2);
    const [exchange] = bench.did('exchange');
    expect(exchange?.sets.flatMap((set) => set.slots).sort()).toEqual([0, 1, 2, 3]);
    expect(exchange?.from).toEqual([]);
    expect(bench.last.findIndex((e) => e.do === 'exchange')).toBeGreaterThan(
      bench.last.findIndex((e) => e.do === 'grant'),
    );
  });

  it('refuses another genesis and another engine with both in the message (H19)', () => {
    const [genesis] = new Bench().hello(A, { genesis: 'other' }).did('evict');
    expect(genesis).toMatchObject({ mayReturn: false });
    expect(genesis?.why).toMatch(/genesis.*other/);
    expect(new Bench().hello(A, { fingerprint: 'other' }).did('evict')[0]?.why).toMatch(/"engine".*"other"/);
  });

  it('steps down when a worker obeys a higher term', () => {
    expect(new Bench().hello(A, { termNumber: 9 }).did('step-down')).toMatchObject([{ termAtLeast: 10 }]);
    const other = new Bench().hello(A, { termNumber: 3, termLeader: 'c2' });
    expect(other.did('step-down')).toMatchObject([{ termAtLeast: 4 }]);
  });
});

describe('a worker that was told to copy another state', () => {
  it('is not counted on for the one that it had: the newest checkpoint is, when its donor dies', () => {
    const bench = new Bench({ head: 8, manifestStep: 6 });
    bench.hello(A, { empty: false, position: 8 }).hello(B, { empty: false, position: 7 });
    bench.on({ kind: 'tick' }, 2000);
    expect(bench.did('welcome')).toMatchObject([
      { worker: A, role: 'member', step: 8 },
      { worker: B, role: 'shadow', step: 8 },
    ]);
    bench.on({ kind: 'disconnected', worker: A, why: 'reset' });
    expect(bench.did('welcome')).toMatchObject([{ worker: B, role: 'load', step: 6 }]);
  });
});

describe('commit', () => {
  it('appends when all have prepared the same, then commits to all and grants the next step (H11)', () => {
    const bench = twoAtWork().prepared(A);
    expect(bench.did('append')).toEqual([]);
    bench.prepared(B);
    expect(bench.did('append')).toMatchObject([{ step: 0, attempt: 1 }]);
    bench.appended(0);
    expect(bench.did('commit')).toMatchObject([{ step: 0, to: [A, B] }]);
    expect(bench.state.next).toBe(1);
    expect(bench.did('grant').every((effect) => effect.step === 1)).toBe(true);
  });

  it('counts attempts through the term: the next step does not begin at 1 again', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    expect(bench.state.attempt).toBe(2);
  });

  it('makes the sum again when two digests differ and nothing tells who is wrong', () => {
    const bench = twoAtWork().prepared(A).prepared(B, { gradDigest: 'x' });
    expect(bench.did('append')).toEqual([]);
    expect(bench.did('exchange')).toMatchObject([{ attempt: 2, void: true, from: [] }]);
  });

  it('sends the one away that contradicts its own Applied digest', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    bench.on({ kind: 'applied', worker: A, step: 1, stateDigest: 's1' });
    bench.on({ kind: 'applied', worker: B, step: 1, stateDigest: 's1' });
    bench.prepared(A).prepared(B, { stateDigest: 'flipped' });
    expect(bench.did('evict')).toMatchObject([{ worker: B }]);
  });

  it('pauses for good when the ledger has other mathematics', () => {
    const bench = twoAtWork().prepared(A).prepared(B);
    bench.on({ kind: 'appended', step: 0, outcome: { kind: 'diverged', why: 'two histories' } });
    bench.on({ kind: 'tick' });
    expect(bench.state.ending).toBe('failed');
  });
});

describe('a worker that says Hello again', () => {
  it('keeps its finished work when nobody else was given any of it (H1)', () => {
    const bench = twoAtWork();
    const ofA = bench.slotsGrantedTo(A);
    for (const slot of ofA) bench.done(A, slot);
    bench.hello(A, { empty: false, has: ofA });
    expect(bench.did('welcome')).toMatchObject([{ worker: A, role: 'member', keep: ofA }]);
    expect(bench.did('exchange')).toMatchObject([{ attempt: 2 }]);
  });

  it('keeps nothing when one of its slots was given away meanwhile (H1)', () => {
    const bench = twoAtWork();
    const ofB = bench.slotsGrantedTo(B);
    for (const slot of bench.slotsGrantedTo(A)) bench.done(A, slot);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    bench.hello(B, { empty: false, has: ofB });
    expect(bench.did('welcome')).toMatchObject([{ worker: B, keep: [] }]);
  });

  it('gets the Commit again when it is one step behind and has the gradient', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    bench.hello(B, { empty: false, position: 0, reduced: gradientOf(0, {}) });
    expect(bench.did('commit')).toMatchObject([{ to: [B], step: 0 }]);
    expect(bench.did('welcome')).toMatchObject([{ worker: B, role: 'member' }]);
  });

  it('becomes a shadow when it is behind without the gradient', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    bench.hello(B, { empty: false, position: 0 });
    expect(bench.did('welcome')).toMatchObject([{ worker: B, role: 'shadow', donors: [A] }]);
  });

  it('waits when it is ahead (H20)', () => {
    const bench = twoAtWork().hello(C, { empty: false, position: 7 });
    expect(bench.did('welcome')).toMatchObject([{ worker: C, role: 'wait' }]);
  });
});

describe('slots follow speed', () => {
  it('opens a slot that is given back after word of work which was dropped had called it done', () => {
    const bench = twoAtWork().done(A, 2);
    expect(bench.state.slots[2]?.kind).toBe('done');
    bench.on({ kind: 'released', worker: A, step: 0, slot: 2 }, 1);
    expect(bench.did('grant').flatMap(({ slots }) => slots)).toEqual([2]);
    expect(bench.did('exchange')).toMatchObject([{ attempt: 2 }]);
  });

  it('gives a member work again whose first slot was slow', () => {
    const bench = new Bench({ target: 2, rules: { slots: 6 } }).hello(A).hello(B);
    const shares: number[] = [];
    for (let step = 0; step < 12; step++) {
      for (let turn = 0; turn < 6; turn++) {
        bench.state.slots.forEach((slot, k) => {
          if (slot.kind !== 'granted') return;
          const same = { spare: false, flagged: false, digest: `d${k}` };
          const computeMs = step === 0 && slot.worker === B ? 2000 : 100;
          bench.on({ kind: 'slot-done', worker: slot.worker, step, slot: k, computeMs, ...same }, 1);
        });
      }
      shares.push(bench.state.slots.filter((slot) => slot.kind === 'done' && slot.worker === B).length);
      bench.prepared(A).prepared(B).appended(step);
    }
    expect(shares.slice(1, 3)).toContain(0);
    expect(shares.at(-1)).toBeGreaterThan(0);
  });
});

describe('a newcomer', () => {
  it('that reaches the step while an exchange runs only listens, and is a member after the commit', () => {
    const bench = new Bench({ target: 3 }).hello(A).hello(B);
    bench.on({ kind: 'tick' }, 1);
    bench.state.startWaitUntilMs = 0;
    bench.on({ kind: 'tick' }, 1);
    bench.hello(C, { empty: false, position: 0, stateDigest: 's0' });
    expect(bench.did('welcome')).toMatchObject([{ worker: C, role: 'shadow' }]);
    expect(bench.did('exchange')).toMatchObject([{ to: [C], attempt: 1 }]);
    bench.prepared(A).prepared(B).appended(0);
    expect(bench.did('welcome')).toMatchObject([{ worker: C, role: 'member', step: 1 }]);
  });

  it('costs the members nothing, whether it says Hello again or dies', () => {
    const bench = new Bench({ target: 3 }).hello(A).hello(B);
    bench.state.startWaitUntilMs = 0;
    bench.on({ kind: 'tick' }, 1);
    bench.hello(C, { empty: false, position: 0 }).hello(C, { empty: false, position: 0 });
    expect(bench.state.exchange?.attempt).toBe(1);
    bench.on({ kind: 'disconnected', worker: C, why: 'gone' });
    expect(bench.state.exchange?.attempt).toBe(1);
    expect(bench.did('exchange')).toEqual([]);
  });

  it('loads the newest checkpoint when that is the step to go on with', () => {
    const bench = new Bench({ target: 1, head: 5, manifestStep: 5 }).on({ kind: 'tick' }, 2000).hello(A);
    expect(bench.did('welcome')).toMatchObject([{ worker: A, role: 'load', step: 5 }]);
  });

  it('that cannot load the checkpoint again and again makes the leader look at the checkpoints anew', () => {
    const bench = new Bench({ target: 1, head: 5, manifestStep: 5 }).on({ kind: 'tick' }, 2000).hello(A);
    bench.hello(A).hello(A);
    expect(bench.did('welcome')).toMatchObject([{ worker: A, role: 'load', step: 5 }]);
    expect(bench.did('step-down')).toEqual([]);
    expect(bench.hello(A).did('step-down')).toMatchObject([
      { why: expect.stringContaining('checkpoint of step 5') as string },
    ]);
  });

  it('replays from the checkpoint below the head when nobody has a newer state (H8)', () => {
    const bench = new Bench({ target: 1, head: 5, manifestStep: 3 }).on({ kind: 'tick' }, 2000).hello(A);
    bench.hello(A, { empty: false, position: 3 });
    expect(bench.state.next).toBe(3);
    expect(bench.did('grant')).toMatchObject([{ step: 3 }]);
  });
});

describe('complaints', () => {
  it('drop whoever is in most of them after blockedMs (H16)', () => {
    const bench = new Bench({ target: 3, rules: { slots: 6 } }).hello(A).hello(B).hello(C);
    const complain = (worker: WorkerId, peer: WorkerId): LeaderEvent => {
      return { kind: 'blocked', worker, peer, attempt: bench.state.attempt, slots: [], why: 'unreachable' };
    };
    bench.on(complain(A, B)).on(complain(C, B)).on(complain(B, A));
    expect(bench.did('evict')).toEqual([]);
    bench.on({ kind: 'tick' }, 600);
    expect(bench.did('evict')).toMatchObject([{ worker: B }]);
  });

  it('about a slot in the sum twice make its holders begin the step again', () => {
    const bench = twoAtWork();
    bench.on({ kind: 'blocked', worker: A, peer: null, attempt: 1, slots: [0], why: 'counted twice' });
    expect(bench.did('welcome').every((effect) => effect.keep.length === 0)).toBe(true);
    expect(bench.did('exchange').every((effect) => effect.void)).toBe(true);
  });
});

describe('wishes', () => {
  const wish = (change: object): LeaderEvent => {
    return { kind: 'desired', desired: { revision: 2, target: 2, paused: false, stop: false, ...change } };
  };

  it('pause takes effect at the next step', () => {
    const bench = twoAtWork()
      .on(wish({ paused: true }))
      .prepared(A)
      .prepared(B);
    expect(bench.did('append').length).toBe(1);
    bench.appended(0);
    expect(bench.did('grant')).toEqual([]);
    bench.on({ kind: 'desired', desired: { revision: 3, target: 2, paused: false, stop: false } });
    expect(bench.did('grant').length).toBeGreaterThan(0);
  });

  it('stop writes a checkpoint first', () => {
    const bench = twoAtWork()
      .on(wish({ stop: true }))
      .prepared(A)
      .prepared(B)
      .appended(0);
    expect(bench.did('store')).toMatchObject([{ step: 1 }]);
    expect(bench.did('finish')).toEqual([]);
    bench.on({ kind: 'checkpoint-written', step: 1 });
    expect(bench.did('finish')).toMatchObject([{ ending: 'stopped' }]);
  });

  it('a smaller target sends the youngest away at the end of the step', () => {
    const bench = twoAtWork().on(wish({ target: 1 }));
    expect(bench.did('evict')).toEqual([]);
    bench.prepared(A).prepared(B).appended(0);
    expect(bench.did('evict')).toMatchObject([{ worker: B, mayReturn: true }]);
  });

  it('an older revision is ignored', () => {
    const bench = twoAtWork().on({
      kind: 'desired',
      desired: { revision: 1, target: 9, paused: true, stop: true },
    });
    expect(bench.state.desired.target).toBe(2);
  });
});

describe('the end of the budget', () => {
  it('orders the last checkpoint at rest and finishes when its manifest is written', () => {
    const bench = new Bench({ target: 1, rules: { endStep: 1 } }).hello(A).prepared(A).appended(0);
    expect(bench.did('store')).toMatchObject([
      { step: 1, stripes: [{ worker: A, firstPart: 0, endPart: 6 }] },
    ]);
    bench.on({ kind: 'checkpoint-written', step: 1 });
    expect(bench.did('finish')).toMatchObject([{ ending: 'finished' }]);
  });

  it('orders it again from whoever is there when it was given up (H14)', () => {
    const bench = new Bench({ target: 2, rules: { endStep: 1 } }).hello(A).hello(B);
    bench.prepared(A).prepared(B).appended(0);
    bench.on({ kind: 'disconnected', worker: B, why: 'gone' });
    bench.on({ kind: 'checkpoint-failed', step: 1, why: 'b is gone' });
    expect(bench.did('store')).toMatchObject([
      { step: 1, stripes: [{ worker: A, firstPart: 0, endPart: 6 }] },
    ]);
  });

  it('gives whose state is damaged the time to say so before it is ordered a third time', () => {
    const bench = new Bench({ target: 1, rules: { endStep: 1 } }).hello(A).prepared(A).appended(0);
    const fail = (): Bench => bench.on({ kind: 'checkpoint-failed', step: 1, why: 'another digest' });
    fail();
    expect(bench.did('store')).toHaveLength(1);
    fail();
    expect(bench.did('store')).toEqual([]);
    for (let i = 0; i < 2; i++) bench.on({ kind: 'contact', worker: A }, RULES.suspectMs / 2);
    bench.on({ kind: 'tick' });
    expect(bench.did('store')).toHaveLength(1);
    fail();
    expect(bench.did('finish')).toMatchObject([{ ending: 'failed' }]);
  });
});
