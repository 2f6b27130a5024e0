import { describe, expect, it } from 'vitest';
import { composeHello } from './compose-hello.js';
import { Bench, IDENTITY, TERM, type LeaderMessage } from './worker-bench.js';

describe('a worker', () => {
  it('says Hello when connected and makes state[0] as a member without one', () => {
    const bench = new Bench().on({ kind: 'connected' });
    expect(bench.does()).toEqual(['hello']);
    expect(bench.welcome(1).does()).toEqual(['make-state']);
    expect(bench.grant([0]).does()).toEqual([]);
    bench.on({ kind: 'state-ready', position: 0, mathHash: 'genesis', stateDigest: 's0' });
    expect(bench.does()).toEqual(['send applied', 'begin-accumulator', 'compute']);
  });

  it('computes granted slots one after the other; the first clears the accumulator', () => {
    const bench = new Bench().member().grant([2, 5]);
    expect(bench.does()).toEqual(['begin-accumulator', 'compute']);
    expect(bench.last[1]).toMatchObject({ work: { slot: 2 }, first: true });
    bench.computed(2);
    expect(bench.last).toMatchObject([{ do: 'send' }, { do: 'compute', work: { slot: 5 }, first: false }]);
  });

  it('gives a slot back that it has not begun, and no other', () => {
    const bench = new Bench().member().grant([2, 5]);
    const release = (slot: number): LeaderMessage => ({
      $case: 'release',
      value: { term: TERM, step: 0, slot },
    });
    expect(bench.hears(release(2)).does()).toEqual([]);
    expect(bench.hears(release(5)).does()).toEqual(['send released']);
    expect(bench.computed(2).does()).toEqual(['send slotDone']);
  });

  it('reads its state again when told to store, whether a stripe is its own or not', () => {
    const store = (worker: string): string[] => {
      const stripes = [{ stripe: 0, worker, firstPart: 0, endPart: 2 }];
      const value = { term: TERM, step: 0, stripes };
      return new Bench().member().welcome(1).hears({ $case: 'store', value }).does();
    };
    expect(store('me')).toEqual(['keep-stripes', 'read-state']);
    expect(store('other')).toEqual(['read-state']);
  });

  it('refuses a lower term and the same number of another leader (H7)', () => {
    const bench = new Bench().member();
    expect(bench.grant([0], 0, { number: 2, leader: 'c0' }).does()).toEqual([]);
    expect(bench.grant([0], 0, { number: 3, leader: 'c2' }).does()).toEqual([]);
    expect(bench.grant([0]).does()).toEqual(['begin-accumulator', 'compute']);
  });
});

describe('a spare', () => {
  it('is computed and told, and is in no sum: an exchange under way goes on', () => {
    const bench = new Bench().member().grant([0]).computed(0).exchange(1, [0]).spareGrant([5]);
    expect(bench.does()).toEqual(['compute']);
    expect(bench.last[0]).toMatchObject({ work: { slot: 5, spare: true }, first: false });
    bench.computed(5, bench.state.generation, true);
    expect(bench.last).toMatchObject([{ message: { $case: 'slotDone', value: { slot: 5, spare: true } } }]);
    expect([...bench.state.has]).toEqual([0]);
    expect(bench.state.exchangeRunning).toBe(true);
  });

  it('of a state that is replaced is forgotten, waiting, begun or computed', () => {
    const bench = new Bench().member().spareGrant([1]).computed(1, 0, true).spareGrant([2, 3]);
    bench.welcome(2, { step: 1 });
    expect(bench.does()).toContain('copy-state');
    expect(bench.computed(2, 0, true).does()).toEqual([]);
    bench.on({ kind: 'state-ready', position: 1, mathHash: 'm0', stateDigest: 's1' });
    expect(bench.state.spares.size).toBe(0);
    bench.welcome(1, { step: 1 }).spareGrant([2]);
    expect(bench.does()).toEqual(['compute']);
    // Slot 2 of the state before, told late: it is not what is being computed now.
    expect(bench.computed(2, 0, true).does()).toEqual([]);
    expect(bench.computed(2, bench.state.generation, true).does()).toEqual(['send slotDone']);
  });

  it('outlives the accumulator, and is told again instead of computed again; the step ends it', () => {
    const bench = new Bench().member().grant([0]).spareGrant([5]).computed(0);
    bench.on({ kind: 'wrong-set', term: TERM, attempt: 1 }).exchange(1, [3]);
    bench.computed(5, bench.state.generation - 1, true);
    expect(bench.state.spares.has(5)).toBe(true);
    bench.welcome(1).spareGrant([5]);
    expect(bench.does()).toEqual(['send slotDone']);
    bench.grant([0]).computed(0).exchange(2, [0]).reduced(2).commit().applied();
    expect(bench.state.spares.size).toBe(0);
  });
});

describe('an exchange', () => {
  it('begins when its set is what this worker has or is computing', () => {
    const bench = new Bench().member().grant([2, 5]);
    expect(bench.exchange(1, [2, 5]).does()).toEqual(['exchange']);
  });

  it('with another set makes the worker drop its sum and say Hello (H1)', () => {
    const bench = new Bench().member().grant([2]).computed(2);
    expect(bench.exchange(1, [2, 3]).does()).toEqual(['drop-accumulator', 'hello']);
    expect(bench.state.has.size).toBe(0);
  });

  it('ends before a new grant changes the accumulator (H3)', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]);
    expect(bench.grant([3]).does()).toEqual(['cancel-exchange', 'compute']);
    expect(bench.reduced(1).does()).toEqual([]);
  });

  it('prepares once it is reduced, and again under a later attempt without computing anything', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]);
    expect(bench.reduced(1).does()).toEqual(['send prepare']);
    const from = [{ id: 'me', address: 'a' }];
    expect(bench.exchange(2, [2], { from }).does()).toEqual(['send prepare', 'exchange']);
    expect(bench.reduced(2).does()).toEqual([]);
  });

  it('of a new leader is not taken for a repetition of the old one with the same number', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]);
    const term = { number: 4, leader: 'c2' };
    expect(bench.exchange(1, [2], { term }).does()).toEqual(['exchange']);
    expect(bench.reduced(1).does()).toEqual([]);
  });

  it('that is void drops a gradient reduced before', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]).reduced(1);
    expect(bench.exchange(2, [2], { void: true }).does()).toEqual(['drop-reduced', 'exchange']);
  });

  it('that is void drops nothing when it is sent once more: the sum was made under it', () => {
    const bench = new Bench().member().grant([0]).computed(0).exchange(2, [0], { void: true }).reduced(2);
    bench.exchange(2, [0], { void: true });
    expect(bench.does()).toEqual(['send prepare', 'exchange']);
    expect(bench.state.reduced).not.toBeNull();
    expect(bench.last.at(-1)).toMatchObject({ isVoid: false });
  });

  it('of others is listened to by a member without a slot', () => {
    const bench = new Bench()
      .member()
      .exchange(1, [], { sets: [{ worker: 'other', address: 'b', slots: [0, 1] }] });
    expect(bench.last).toMatchObject([{ do: 'exchange', isListener: true }]);
  });
});

describe('a commit', () => {
  const prepared = (): Bench => new Bench().member().grant([2]).computed(2).exchange(1, [2]).reduced(1);

  it('is applied when it follows the own state and names the own gradient', () => {
    const bench = prepared().commit();
    expect(bench.does()).toEqual(['apply']);
    expect(bench.applied().does()).toEqual(['send applied']);
    expect(bench.state).toMatchObject({ position: 1, mathHash: 'm0', phase: 'ready' });
  });

  it('with another gradient, of a later step or of another history leads to Hello', () => {
    expect(prepared().commit(0, { gradDigest: 'x' }).does()).toEqual(['hello']);
    expect(prepared().commit(4).does()).toEqual(['hello']);
    expect(
      prepared()
        .commit(0, { followsFrom: () => false })
        .does(),
    ).toEqual(['hello']);
  });

  it('of a step that was applied already is ignored', () => {
    expect(prepared().commit().applied().commit(0).does()).toEqual([]);
  });

  it('lets grants of the next step wait until it is applied', () => {
    const bench = prepared().commit().grant([7], 1);
    expect(bench.does()).toEqual([]);
    expect(bench.applied().does()).toEqual(['send applied', 'begin-accumulator', 'compute']);
  });

  it('that waits for a sum leads to Hello when that exchange ends without one', () => {
    const bench = new Bench().member();
    bench.exchange(1, [], { sets: [{ worker: 'other', address: 'b', slots: [0] }] }).commit();
    expect(bench.on({ kind: 'exchange-ended', term: TERM, attempt: 1 }).does()).toEqual(['hello']);
  });

  it('waits for a listener that is still copying the sum', () => {
    const bench = new Bench().member();
    bench.exchange(1, [], { sets: [{ worker: 'other', address: 'b', slots: [0] }] }).commit();
    expect(bench.does()).toEqual([]);
    expect(bench.reduced(1).does()).toEqual(['send prepare', 'apply']);
  });
});

describe('a lost connection', () => {
  it('keeps the work: a Welcome that keeps all of it changes nothing', () => {
    const bench = new Bench().member().grant([2, 5]).computed(2).on({ kind: 'disconnected' });
    expect(bench.computed(5).state.has).toEqual(new Set([2, 5]));
    bench.on({ kind: 'connected' }).welcome(1, { keep: [2, 5] });
    expect(bench.does()).toEqual([]);
    expect(bench.state.has.size).toBe(2);
  });

  it('loses it when the leader keeps none of it; late results are ignored', () => {
    const bench = new Bench()
      .member()
      .grant([2, 5])
      .computed(2)
      .on({ kind: 'disconnected' })
      .on({ kind: 'connected' });
    const before = bench.state.generation;
    expect(bench.welcome(1).does()).toEqual(['drop-accumulator']);
    expect(bench.computed(5, before).does()).toEqual([]);
    expect(bench.state.has.size).toBe(0);
  });

  it.each([
    ['load', 3, 1],
    ['shadow', 2, 4],
  ] as const)(
    'that wants it elsewhere (%s) in the middle of an apply leads to Hello after it',
    (_, role, step) => {
      const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]).reduced(1).commit();
      expect(bench.welcome(role, { step }).does()).not.toContain('load-state');
      bench.grant([3], 1);
      expect(bench.applied().does()).toEqual(['hello']);
      expect(bench.grant([3], 1).does()).toEqual([]);
    },
  );

  it('as a member of the step that an apply leads to lets it go on', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]).reduced(1).commit();
    bench.welcome(1, { step: 1 }).grant([3], 1);
    expect(bench.applied().does()).toEqual(['send applied', 'begin-accumulator', 'compute']);
  });

  it('in the middle of an apply says Hello when the state is whole', () => {
    const bench = new Bench().member().grant([2]).computed(2).exchange(1, [2]).reduced(1).commit();
    bench.on({ kind: 'disconnected' }).on({ kind: 'connected' });
    expect(bench.does()).toEqual([]);
    expect(bench.applied().does()).toEqual(['hello']);
  });
});

describe('a shadow', () => {
  it('copies, listens to every Exchange and Commit, and says Hello when it has caught up', () => {
    const bench = new Bench().on({ kind: 'connected' }).welcome(2, { step: 4 });
    expect(bench.does()).toContain('copy-state');
    bench.exchange(1, [], { step: 4, sets: [{ worker: 'other', address: 'b', slots: [0] }] });
    expect(bench.last).toMatchObject([{ do: 'exchange', isListener: true }]);
    expect(bench.commit(4).does()).toEqual(['copy-commit']);
    bench.on({ kind: 'state-ready', position: 5, mathHash: 'm4', stateDigest: 's5' });
    expect(bench.does()).toEqual(['hello']);
    expect(bench.state.position).toBe(5);
  });

  it('that hears a void Exchange while it copies, and once more when it has caught up, drops nothing', () => {
    const bench = new Bench().on({ kind: 'connected' }).welcome(2, { step: 4 });
    bench.exchange(2, [], { void: true, step: 4 });
    expect(bench.last).toMatchObject([{ do: 'exchange', isVoid: true }]);
    bench.on({ kind: 'state-ready', position: 4, mathHash: 'm3', stateDigest: 's4' }).welcome(2, { step: 4 });
    bench.reduced(2).exchange(2, [], { void: true, step: 4 });
    expect(bench.last).toMatchObject([{ do: 'exchange', isVoid: false }]);
  });

  it('that has caught up does not say Hello again because of a heartbeat', () => {
    const bench = new Bench().on({ kind: 'connected' }).welcome(2, { step: 4 });
    bench.on({ kind: 'state-ready', position: 4, mathHash: 'm3', stateDigest: 's4' }).welcome(2, { step: 4 });
    bench.hears({
      $case: 'heartbeat',
      value: { term: TERM, counter: 1, head: 4, checkpoint: 0, coordinators: [] },
    });
    expect(bench.last).toEqual([]);
  });

  it('keeps the ledger from the state that it began with, less what a checkpoint has', () => {
    const bench = new Bench().on({ kind: 'connected' }).welcome(2, { step: 4 });
    bench.on({ kind: 'state-ready', position: 4, mathHash: 'm3', stateDigest: 's4' });
    const held = (): readonly number[] => {
      const { entriesFirst, entriesEnd } = composeHello(IDENTITY, bench.state);
      return [entriesFirst, entriesEnd];
    };
    expect(held()).toEqual([4, 4]);
    bench.welcome(1, { step: 4 }).exchange(1, []).reduced(1).commit();
    bench.on({ kind: 'applied', position: 5, stateDigest: 's5' });
    expect(held()).toEqual([4, 5]);
    const beat = (checkpoint: number): Bench =>
      bench.hears({
        $case: 'heartbeat',
        value: { term: TERM, counter: 1, head: 5, checkpoint, coordinators: [] },
      });
    expect(beat(3).last).toEqual([]);
    expect(beat(5).last).toEqual([{ do: 'drop-entries', before: 5 }]);
    expect(held()).toEqual([5, 5]);
  });

  it('that waits ahead of the run says Hello when the run gets there', () => {
    const bench = new Bench().member();
    bench.state.position = 7;
    bench.welcome(4, { step: 5 });
    const beat = (head: number): LeaderMessage => ({
      $case: 'heartbeat',
      value: { term: TERM, counter: 1, head, checkpoint: 0, coordinators: [] },
    });
    expect(bench.hears(beat(6)).does()).toEqual([]);
    expect(bench.hears(beat(7)).does()).toEqual(['hello']);
  });
});
