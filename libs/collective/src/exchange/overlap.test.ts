// The exchange overlaps with the last slot's backward: a part is served as soon as the whole set has passed it.
import { expect, it } from 'vitest';
import { PART_SIZE, partCount, referenceKernels } from '@cria/kernels';
import { Content } from '@cria/protocol';
import { systemClock } from '@cria/runtime';
import { LENGTH, SLOTS, STEP, testCluster } from '../testing/test-cluster.js';
import { expectedSum, GRID_BITS, order, RUN_ID, sameSum, slotGradient } from '../testing/test-member.js';
import type { TestMember } from '../testing/test-member.js';
import { PeerClient } from '../wire/peer-client.js';

const startMembers = testCluster();

/** The slot's backward from the end of the gradient down to part `fromPart`, of parts [fromPart, endPart). */
async function passParts(
  member: TestMember,
  slot: number,
  fromPart: number,
  endPart: number,
): Promise<BigUint64Array> {
  const digests = new BigUint64Array(partCount(LENGTH));
  const [from, to] = [fromPart * PART_SIZE, Math.min(endPart * PART_SIZE, LENGTH)];
  const bucket = slotGradient(STEP, slot, LENGTH).subarray(from, to);
  referenceKernels.accumulateGradient(member.state.accumulator, from, bucket, GRID_BITS, digests);
  const passed = digests.slice(fromPart, endPart);
  await member.thread.partsPassed({ step: STEP, slot, fromPart, endPart, digests: passed });
  return digests;
}

/** Whether the owner has reduced a part: it serves it. */
async function isReduced(owner: TestMember, part: number, waitMs: number): Promise<boolean> {
  const client = new PeerClient({ kernels: referenceKernels, clock: systemClock });
  const request = {
    ...{ runId: RUN_ID, to: owner.id, from: 'test', term: { number: 1, leader: 'c1' }, step: STEP },
    ...{ attempt: 1, content: Content.CONTENT_REDUCED, part, offset: 0 },
  };
  const options = { address: owner.address, stallMs: 5000, maxBytes: 1 << 26 };
  const pulled = client.pullPart(request, { ...options, signal: AbortSignal.timeout(waitMs) });
  return pulled
    .then(
      () => true,
      () => false,
    )
    .finally(() => client.close());
}

it('reduces a part while a slot of the set still runs, and the sum is right', async () => {
  const [a, b] = (await startMembers(2)) as [TestMember, TestMember];
  await a.compute(STEP, [0, 1, 2]);
  await b.compute(STEP, [3, 4]);
  const sets = [a.set([0, 1, 2]), b.set([3, 4, 5])];
  const outcomes = [a, b].map((member) => member.thread.begin(order(sets, { attempt: 1, step: STEP })));
  const digests = await passParts(b, 5, 1, 3);
  expect(await Promise.all([isReduced(b, 1, 10_000), isReduced(a, 2, 10_000)])).toEqual([true, true]);
  expect(await isReduced(a, 0, 300)).toBe(false);
  (await passParts(b, 5, 0, 1)).forEach((digest, part) => (digests[part]! += digest));
  await b.thread.slotDone(STEP, { slot: 5, lossBits: 0, tokens: 1, flagged: false, digests });
  expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['prepared', 'prepared']);
  expect(sameSum(await a.preparedSum(STEP), expectedSum(STEP, SLOTS, LENGTH))).toBe(true);
});
