// Members for one test file; all of them are stopped after each test.
import { afterEach } from 'vitest';
import { PART_SIZE } from '@cria/kernels';
import { TestMember } from './test-member.js';
import type { TestMemberOptions } from './test-member.js';

export const LENGTH = 2 * PART_SIZE + 1024;
export const PARTS = 3;
export const SLOTS = 6;
export const STEP = 7;

/** Registers the clean-up and returns how to start `count` members named w0, w1, ...; `of` gives each its options. */
export function testCluster(): (
  count: number,
  of?: (index: number) => Partial<TestMemberOptions>,
) => Promise<TestMember[]> {
  const started: TestMember[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((member) => member.thread.stop()));
  });
  return (count, of = () => ({})) => {
    const members = Array.from(
      { length: count },
      (_, i) => new TestMember({ id: `w${i}`, length: LENGTH, slots: SLOTS, ...of(i) }),
    );
    started.push(...members);
    return Promise.all(members.map((member) => member.start(STEP)));
  };
}
