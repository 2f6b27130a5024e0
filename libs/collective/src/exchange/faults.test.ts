// What goes wrong in an exchange, who is named, and that the next attempt works.
import { afterEach, describe, expect, it } from 'vitest';
import { PART_SIZE } from '@cria/kernels';
import { Content } from '@cria/protocol';
import type { MemberSet } from '@cria/protocol';
import { Liar } from '../testing/liar.js';
import { LENGTH, SLOTS, STEP, testCluster } from '../testing/test-cluster.js';
import { computeSlot, expectedSum, order, sameSum } from '../testing/test-member.js';
import type { TestMember } from '../testing/test-member.js';
import type { ExchangeOutcome } from './order.js';

const startMembers = testCluster();
const SETS = [
  [0, 1, 2],
  [3, 4, 5],
];

const setsOf = (members: readonly TestMember[]): MemberSet[] => members.map((m, i) => m.set(SETS[i]!));

const beginAll = (members: readonly TestMember[], attempt: number): Promise<ExchangeOutcome>[] =>
  members.map((member) => member.thread.begin(order(setsOf(members), { attempt, step: STEP })));

async function computed(of?: Parameters<typeof startMembers>[1]): Promise<[TestMember, TestMember]> {
  const members = await startMembers(2, of);
  for (const [i, member] of members.entries()) await member.compute(STEP, SETS[i]!);
  return members as [TestMember, TestMember];
}

const kinds = async (outcomes: Promise<ExchangeOutcome>[]): Promise<string[]> =>
  (await Promise.all(outcomes)).map(({ kind }) => kind);

const sumIsRight = async (member: TestMember): Promise<boolean> =>
  sameSum(await member.preparedSum(STEP), expectedSum(STEP, SLOTS, LENGTH));

describe('a lying member', () => {
  let liar: Liar | null = null;
  afterEach(() => liar?.stop());

  async function against(
    contains: number[],
    claims: number[],
  ): Promise<[TestMember, Promise<ExchangeOutcome>]> {
    const [honest] = await startMembers(1);
    await honest!.compute(STEP, SETS[0]!);
    liar = new Liar(contains, claims);
    const sets = [honest!.set(SETS[0]!), await liar.start()];
    const outcome = honest!.thread.begin(order(sets, { attempt: 1, step: STEP }));
    if (claims.length === 3) await liar.reduce(sets[0]!);
    return [honest!, outcome];
  }

  it('is named when it serves other slots than its set', async () => {
    const [honest] = await against([3, 4, 5, 0], [0, 3, 4, 5]);
    const event = await honest.event(({ kind }) => kind === 'blocked');
    expect(event).toMatchObject({ about: 'slot', peer: 'w1', slots: [0, 3, 4, 5] });
  });

  it('passes when it tells the truth', async () => {
    const [, outcome] = await against([3, 4, 5], [3, 4, 5]);
    expect((await outcome).kind).toBe('prepared');
  });

  it('cannot hide a slot that is in the sum twice: the report counts it', async () => {
    const [honest, outcome] = await against([3, 4, 5, 0], [3, 4, 5]);
    expect(await outcome).toEqual({ kind: 'blocked', why: 'slot 0 is in the sum 2 times' });
    expect(honest.events).toContainEqual(expect.objectContaining({ about: 'slot', slots: [0] }));
  });

  it('cannot hide a slot that is missing', async () => {
    const [, outcome] = await against([3, 4], [3, 4, 5]);
    expect(await outcome).toEqual({ kind: 'blocked', why: 'slot 5 is in the sum 0 times' });
  });
});

describe('a flipped bit', () => {
  const data = { minBytes: 1000, fault: { kind: 'flip' } as const };

  it('in one frame costs one more pull and a line in the log', async () => {
    const faults = [{ ...data, content: Content.CONTENT_ACC, times: 1 }];
    const members = await computed((i) => (i === 1 ? { faults } : {}));
    expect(await kinds(beginAll(members, 1))).toEqual(['prepared', 'prepared']);
    expect(members[0].events).toEqual([expect.objectContaining({ kind: 'damaged', peer: 'w1' })]);
    expect(await sumIsRight(members[0])).toBe(true);
  });

  it.each([Content.CONTENT_ACC, Content.CONTENT_REDUCED])(
    'in every frame of content %i names the sender',
    async (content) => {
      const faults = [{ ...data, content, times: 1000 }];
      const members = await computed((i) => (i === 1 ? { faults } : {}));
      void beginAll(members, 1);
      const event = await members[0].event(({ kind }) => kind === 'blocked');
      expect(event).toMatchObject({ about: 'peer', peer: 'w1', why: expect.stringContaining('CRC-32C') });
    },
  );

  it('in an accumulator that is served names its holder, and a good one then passes', async () => {
    const members = await computed();
    members[1].state.accumulator.small[5]! ^= 1 << 20;
    const outcomes = beginAll(members, 1);
    const event = await members[0].event(({ kind }) => kind === 'blocked');
    expect(event).toMatchObject({ about: 'peer', peer: 'w1', part: 0 });
    members[1].state.accumulator.small[5]! ^= 1 << 20;
    expect(await kinds(outcomes)).toEqual(['prepared', 'prepared']);
    expect(await sumIsRight(members[1])).toBe(true);
  });

  it('in the own accumulator names oneself', async () => {
    const members = await computed();
    members[1].state.accumulator.small[PART_SIZE + 5]! ^= 1;
    const outcomes = beginAll(members, 1);
    expect(await outcomes[1]).toMatchObject({ kind: 'blocked', why: expect.stringContaining('accumulator') });
    expect(members[1].events).toContainEqual(expect.objectContaining({ about: 'peer', peer: 'w1', part: 1 }));
  });

  it('in a digest that was reported with a slot is found in every part', async () => {
    const members = await startMembers(2);
    await members[0]!.compute(STEP, SETS[0]!);
    await members[1]!.compute(STEP, [3, 4]);
    const result = computeSlot(members[1]!.state.accumulator, STEP, 5);
    result.digests[0]! ^= 1n;
    await members[1]!.thread.slotDone(STEP, result);
    void beginAll(members, 1);
    const event = await members[0]!.event(({ kind }) => kind === 'blocked');
    expect(event).toMatchObject({ about: 'peer', peer: 'w1', part: 0 });
  });
});

describe('slots that are not in the set', () => {
  it('keep the accumulator from being served, and make its holder say Hello', async () => {
    const members = await computed();
    await members[1].compute(STEP, [2]);
    const outcomes = beginAll(members, 1);
    expect((await outcomes[1])?.kind).toBe('blocked');
    expect(members[1].events).toEqual([expect.objectContaining({ kind: 'wrong-set', has: [2, 3, 4, 5] })]);
  });

  it('added without a word are found by L', async () => {
    const members = await computed();
    computeSlot(members[1].state.accumulator, STEP, 0);
    void beginAll(members, 1);
    expect(await members[0].event(({ kind }) => kind === 'blocked')).toMatchObject({ peer: 'w1' });
  });

  it('named twice by the leader block at once', async () => {
    const [member] = await startMembers(1);
    const sets = [member!.set([0, 1, 2, 3, 4, 5]), { worker: 'w9', address: 'nowhere', slots: [5] }];
    const outcome = await member!.thread.begin(order(sets, { attempt: 1, step: STEP }));
    expect(outcome).toEqual({ kind: 'blocked', why: 'the sets name slots 5 twice or not at all' });
    expect(member!.events).toEqual([expect.objectContaining({ about: 'slot', slots: [5] })]);
  });
});

describe('a member that goes away', () => {
  it('is named by those who pull from it, and the next attempt works without it', async () => {
    const members = await startMembers(3, (i) =>
      i === 2
        ? { faults: [{ content: Content.CONTENT_ACC, times: 1000, fault: { kind: 'delay', ms: 60 } }] }
        : {},
    );
    const split = [
      [0, 1],
      [2, 3],
      [4, 5],
    ];
    for (const [i, member] of members.entries()) await member.compute(STEP, split[i]!);
    const sets = members.map((member, i) => member.set(split[i]!));
    const first = members.map((m) => m.thread.begin(order(sets, { attempt: 1, step: STEP })));
    await members[2]!.thread.stop();
    await Promise.all(
      members.slice(0, 2).map((m) => m.event((e) => e.kind === 'blocked' && e.peer === 'w2')),
    );
    first[2]!.catch(() => undefined);
    const left = members.slice(0, 2);
    await left[1]!.thread.endStreams();
    await left[1]!.compute(STEP, [4, 5]);
    const newSets = [left[0]!.set([0, 1]), left[1]!.set([2, 3, 4, 5])];
    const second = left.map((m) => m.thread.begin(order(newSets, { attempt: 2, step: STEP })));
    expect(await kinds(second)).toEqual(['prepared', 'prepared']);
    expect(await kinds(first.slice(0, 2))).toEqual(['superseded', 'superseded']);
    expect(await sumIsRight(left[0]!)).toBe(true);
  });

  it('breaks a stream in the middle, which goes on where it stopped', async () => {
    const faults = [
      { content: Content.CONTENT_ACC, minBytes: 1000, times: 1, fault: { kind: 'cut' } as const },
    ];
    const members = await computed((i) => (i === 1 ? { faults } : {}));
    expect(await kinds(beginAll(members, 1))).toEqual(['prepared', 'prepared']);
    expect(members[0].events).toEqual([]);
  });
});

describe('an accumulator that changes', () => {
  it('is not served any more: no sum holds half of a new slot', async () => {
    const slow = [{ content: Content.CONTENT_ACC, times: 1000, fault: { kind: 'delay', ms: 40 } as const }];
    const members = await computed((i) => (i === 1 ? { faults: slow } : {}));
    const first = beginAll(members, 1);
    await members[1].thread.endStreams();
    await members[1].compute(STEP, [0]);
    expect((await first[1])?.kind).toBe('superseded');
    expect(await members[0].thread.holdReduced(STEP)).toBe(null);
    await members[0].nextStep(STEP);
    await members[0].compute(STEP, [1, 2]);
    const sets = [members[0].set([1, 2]), members[1].set([0, 3, 4, 5])];
    const second = members.map((m) => m.thread.begin(order(sets, { attempt: 2, step: STEP })));
    expect(await kinds(second)).toEqual(['prepared', 'prepared']);
    expect(await sumIsRight(members[0])).toBe(true);
    expect(members[0].events).toEqual([]);
  });
});

describe('an attempt that one member has not heard of', () => {
  it('waits for it without a complaint', async () => {
    const members = await computed();
    const early = members[0].thread.begin(order(setsOf(members), { attempt: 1, step: STEP }));
    const late = new Promise((resolve) => setTimeout(resolve, 700)).then(() =>
      members[1].thread.begin(order(setsOf(members), { attempt: 1, step: STEP })),
    );
    expect(await kinds([early, late])).toEqual(['prepared', 'prepared']);
    expect(members[0].events).toEqual([]);
  });

  it('waits for slots that still run, for longer than a silent peer would be given', async () => {
    const members = await startMembers(2, () => ({ timings: { stallMs: 700 } }));
    await members[0]!.compute(STEP, SETS[0]!);
    const outcomes = beginAll(members, 1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await members[1]!.compute(STEP, SETS[1]!);
    expect(await kinds(outcomes)).toEqual(['prepared', 'prepared']);
    expect(members[0]!.events).toEqual([]);
  });

  it('gives up at its deadline', async () => {
    const [member] = await startMembers(1, () => ({ timings: { exchangeMs: 100 } }));
    const set = member!.set([0, 1, 2, 3, 4, 5]);
    const outcome = await member!.thread.begin(order([set], { attempt: 1, step: STEP }));
    expect(outcome).toEqual({ kind: 'superseded', why: 'it took longer than 100 ms' });
  });
});
