import { afterEach, describe, expect, it } from 'vitest';
import { PART_SIZE, referenceKernels } from '@cria/kernels';
import { ReportPart } from '../report/report-part.js';
import { expectedSum, order, sameSum, TestMember } from '../testing/test-member.js';
import type { TestMemberOptions } from '../testing/test-member.js';

const LENGTH = 2 * PART_SIZE + 1024;
const PARTS = 3;
const SLOTS = 6;
const STEP = 7;

const started: TestMember[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((member) => member.thread.stop()));
});

async function startMembers(count: number, more: Partial<TestMemberOptions> = {}): Promise<TestMember[]> {
  const members = Array.from(
    { length: count },
    (_, i) => new TestMember({ id: `w${i}`, length: LENGTH, slots: SLOTS, ...more }),
  );
  started.push(...members);
  return Promise.all(members.map((member) => member.start(STEP)));
}

/** Slots 0..5 dealt to the members in turn. */
const dealt = (count: number): number[][] =>
  Array.from({ length: count }, (_, i) => [0, 1, 2, 3, 4, 5].filter((slot) => slot % count === i));

const SPLITS: number[][][] = [
  [[0, 1, 2, 3, 4, 5]],
  [
    [0, 1, 2],
    [3, 4, 5],
  ],
  [[5, 0], [1, 2, 3, 4], []],
  [[3], [0, 5], [4], [2, 1]],
];

describe('exchange', () => {
  it.each(SPLITS.map((split) => [split.length, split] as const))(
    'gives %i members the sum that one accumulator gives, bit for bit',
    async (count, split) => {
      const members = await startMembers(count);
      const sets = members.map((member, i) => member.set(split[i]!));
      const begun = members.map((member) => member.thread.begin(order(sets, { attempt: 1, step: STEP })));
      await Promise.all(members.map((member, i) => member.compute(STEP, split[i]!)));
      const outcomes = await Promise.all(begun);
      const expected = expectedSum(STEP, SLOTS, LENGTH);
      const digest = referenceKernels.accumulatorDigest(expected, 0, LENGTH).toString(16).padStart(16, '0');
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.kind !== 'prepared') throw new Error(outcome.why);
        expect(outcome.gradDigest).toBe(digest);
        expect(outcome.gradNormBits).toBe((outcomes[0] as typeof outcome).gradNormBits);
        const report = ReportPart.decode(outcome.report, SLOTS, PARTS);
        expect(report.wrongCounts()).toEqual([]);
        expect(report.slot(5)).toMatchObject({ lossBits: 0x40000005, tokens: 256, flagged: false });
        expect(sameSum(await members[i]!.preparedSum(STEP), expected)).toBe(true);
      }
    },
  );
});
