import { describe, expect, it } from 'vitest';
import { meanScale, referenceKernels } from '@cria/kernels';
import { CriaError } from '@cria/runtime';
import { ReportPart } from '../report/report-part.js';
import type { ExchangeOutcome, Prepared } from '../exchange/order.js';
import { LENGTH, PARTS, SLOTS, STEP, testCluster } from '../testing/test-cluster.js';
import { expectedSum, GRID_BITS, order, sameSum } from '../testing/test-member.js';
import type { TestMember } from '../testing/test-member.js';

const startMembers = testCluster();

const SPLITS: number[][][] = [
  [[0, 1, 2, 3, 4, 5]],
  [
    [0, 1, 2],
    [3, 4, 5],
  ],
  [[5, 0], [1, 2, 3, 4], []],
  [[3], [0, 5], [4], [2, 1]],
];

function prepared(outcome: ExchangeOutcome): Prepared {
  if (outcome.kind !== 'prepared') throw new Error(`${outcome.kind}: ${outcome.why}`);
  return outcome;
}

/** Two members that have computed all slots between them, and their sets. */
async function twoComputed(): Promise<{ members: TestMember[]; sets: ReturnType<TestMember['set']>[] }> {
  const members = await startMembers(2);
  await members[0]!.compute(STEP, [0, 1, 2]);
  await members[1]!.compute(STEP, [3, 4, 5]);
  return { members, sets: [members[0]!.set([0, 1, 2]), members[1]!.set([3, 4, 5])] };
}

const begin = (
  members: readonly TestMember[],
  ...args: Parameters<typeof order>
): Promise<ExchangeOutcome[]> => Promise.all(members.map((member) => member.thread.begin(order(...args))));

describe('exchange', () => {
  it.each(SPLITS.map((split) => [split.length, split] as const))(
    'gives %i members the sum that one accumulator gives, bit for bit',
    async (count, split) => {
      const members = await startMembers(count);
      const sets = members.map((member, i) => member.set(split[i]!));
      const begun = begin(members, sets, { attempt: 1, step: STEP });
      await Promise.all(members.map((member, i) => member.compute(STEP, split[i]!)));
      const outcomes = (await begun).map(prepared);
      const expected = expectedSum(STEP, SLOTS, LENGTH);
      const digest = referenceKernels.accumulatorDigest(expected, 0, LENGTH);
      for (const [i, outcome] of outcomes.entries()) {
        expect(outcome.gradDigest).toBe(digest.toString(16).padStart(16, '0'));
        expect(outcome.gradNormBits).toBe(outcomes[0]!.gradNormBits);
        const report = ReportPart.decode(outcome.report, SLOTS, PARTS);
        expect(report.wrongCounts()).toEqual([]);
        expect(report.slot(5)).toMatchObject({ lossBits: 0x40000005, tokens: 256, flagged: false });
        expect(sameSum(await members[i]!.preparedSum(STEP), expected)).toBe(true);
        expect(outcome.bytesReceived > 0).toBe(count > 1);
      }
    },
  );

  it('reports the norm of the mean gradient', async () => {
    const [member] = await startMembers(1);
    await member!.compute(STEP, [0, 1, 2, 3, 4, 5]);
    const [outcome] = await begin([member!], [member!.set([0, 1, 2, 3, 4, 5])], { attempt: 1, step: STEP });
    const mean = new Float32Array(LENGTH);
    const packed = referenceKernels.packPart(expectedSum(STEP, SLOTS, LENGTH), 0, LENGTH);
    referenceKernels.unpackMean(packed, meanScale(GRID_BITS, SLOTS), mean);
    const norm = Math.sqrt(mean.reduce((sum, x) => sum + x * x, 0));
    expect(prepared(outcome!).gradNorm / norm).toBeCloseTo(1, 12);
  });

  it('answers the same order again with the same outcome, and an older one with TERM_STALE', async () => {
    const { members, sets } = await twoComputed();
    const first = await begin(members, sets, { attempt: 2, step: STEP });
    const again = await members[0]!.thread.begin(order(sets, { attempt: 2, step: STEP }));
    expect(again).toEqual(first[0]);
    const stale = members[0]!.thread.begin(order(sets, { attempt: 1, step: STEP }));
    await expect(stale).rejects.toSatisfy((e) => CriaError.is(e) && e.code === 'TERM_STALE');
    const rival = order(sets, { attempt: 2, step: STEP, term: { number: 1, leader: 'c2' } });
    await expect(members[0]!.thread.begin(rival)).rejects.toSatisfy((e) => CriaError.is(e));
  });

  it('keeps a prepared gradient for a newer attempt, and forgets it for a void one', async () => {
    const { members, sets } = await twoComputed();
    const first = (await begin(members, sets, { attempt: 1, step: STEP })).map(prepared);
    const second = prepared(await members[0]!.thread.begin(order(sets, { attempt: 2, step: STEP })));
    expect(second).toEqual({ ...first[0], attempt: 2 });
    const third = members[0]!.thread.begin(order(sets, { attempt: 3, step: STEP, isVoid: true }));
    expect(await members[0]!.thread.holdReduced(STEP)).toBe(null);
    const fourth = await begin(members, sets, { attempt: 4, step: STEP, isVoid: true });
    expect((await third).kind).toBe('superseded');
    expect(fourth.map(prepared).map((o) => o.gradDigest)).toEqual(first.map((o) => o.gradDigest));
  });

  it('lets whoever is not prepared copy from those who are', async () => {
    const { members, sets } = await twoComputed();
    const [late] = await startMembers(1, () => ({ id: 'late' }));
    const first = (await begin(members, sets, { attempt: 1, step: STEP })).map(prepared);
    const newSets = [members[0]!.set([0, 1, 2]), late!.set([3, 4, 5])];
    const from = [{ id: 'w0', address: members[0]!.address }];
    const outcomes = await begin([members[0]!, late!], newSets, { attempt: 2, step: STEP, from });
    expect(outcomes.map(prepared).map((o) => o.gradDigest)).toEqual(first.map((o) => o.gradDigest));
    expect(sameSum(await late!.preparedSum(STEP), expectedSum(STEP, SLOTS, LENGTH))).toBe(true);
  });

  it('copies from another prepared member when the first one is gone', async () => {
    const { members, sets } = await twoComputed();
    const [late] = await startMembers(1, () => ({ id: 'late', timings: { stallMs: 200 } }));
    await begin(members, sets, { attempt: 1, step: STEP });
    const from = members.map(({ id, address }) => ({ id, address }));
    await members[0]!.thread.stop();
    const outcomes = await begin([members[1]!, late!], sets, { attempt: 2, step: STEP, from });
    outcomes.forEach(prepared);
    expect(late!.events).toContainEqual(expect.objectContaining({ kind: 'blocked', peer: 'w0' }));
  });

  it('gives a shadow the sum without asking it for anything', async () => {
    const { members, sets } = await twoComputed();
    const [shadow] = await startMembers(1, () => ({ id: 'shadow' }));
    const outcomes = await Promise.all([
      ...members.map((member) => member.thread.begin(order(sets, { attempt: 1, step: STEP }))),
      shadow!.thread.begin(order(sets, { attempt: 1, step: STEP, shadow: true })),
    ]);
    expect(new Set(outcomes.map(prepared).map((o) => o.gradDigest)).size).toBe(1);
    expect(prepared(outcomes[2]!).bytesSent).toBe(0);
  });

  it('goes on to the next step, overwriting the gradient part by part', async () => {
    const { members, sets } = await twoComputed();
    (await begin(members, sets, { attempt: 1, step: STEP })).forEach(prepared);
    for (const [i, slots] of [
      [0, [5, 4, 3, 2]],
      [1, [1, 0]],
    ] as const) {
      await members[i]!.nextStep(STEP + 1);
      await members[i]!.compute(STEP + 1, slots);
    }
    const next = [members[0]!.set([2, 3, 4, 5]), members[1]!.set([0, 1])];
    (await begin(members, next, { attempt: 2, step: STEP + 1 })).forEach(prepared);
    expect(sameSum(await members[1]!.preparedSum(STEP + 1), expectedSum(STEP + 1, SLOTS, LENGTH))).toBe(true);
    expect(await members[1]!.thread.holdReduced(STEP)).toBe(null);
  });
});
