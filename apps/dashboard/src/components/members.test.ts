import { describe, expect, it } from 'vitest';
import type { Member, RunEvent } from '../api/types';
import { goneWorkers, isSilent, isSlow, lagMs, medianSpeed, slotOwners, sortMembers } from './members';

const member = (id: string, fields: Partial<Member> = {}): Member => ({
  id,
  pid: 1,
  host: 'node-1',
  device: 'cpu',
  address: '127.0.0.1:1',
  role: 'member',
  position: 5,
  slots: [],
  tokensPerSecond: 100,
  lastContactMs: 50,
  waitMs: 0,
  bytesReceived: 0,
  bytesSent: 0,
  memoryBytes: 0,
  joinedWallMs: 0,
  ...fields,
});
const goodbye = (seq: number, worker: string, kind = 'worker-lost'): RunEvent => ({
  seq,
  worker,
  kind,
  step: seq,
  wallMs: seq,
  text: `${worker} is gone`,
});

describe('members', () => {
  it('are slow against the median of those whose speed is known, and silent after three seconds', () => {
    const members = [
      member('a'),
      member('b', { tokensPerSecond: 50 }),
      member('c'),
      member('d', { tokensPerSecond: 0 }),
    ];
    const median = medianSpeed(members);
    expect(median).toBe(100);
    expect(members.filter((one) => isSlow(one, median)).map(({ id }) => id)).toEqual(['b']);
    expect(isSlow(member('e', { speedRatio: 0.3 }), median)).toBe(true);
    expect([2_999, 3_000].map((lastContactMs) => isSilent(member('a', { lastContactMs })))).toEqual([
      false,
      true,
    ]);
  });

  it('lag by what their slots take longer than the median, in a whole step', () => {
    const members = [10, 14, 10].map((slotMs, i) => member(`w-${i}`, { slotMs, slots: [i, i + 3] }));
    expect(members.map((one) => lagMs(one, members))).toEqual([0, 8, 0]);
    expect(lagMs(member('x'), members)).toBeNull();
    expect(lagMs(member('y', { lagMs: 7 }), members)).toBe(7);
  });

  it('sort by what is asked, and by name where that is equal', () => {
    const members = [member('b'), member('a'), member('c', { waitMs: 9 })];
    expect(sortMembers(members, 'waitMs', true).map(({ id }) => id)).toEqual(['c', 'a', 'b']);
    expect(sortMembers(members, 'id', true).map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });

  it('that are gone are told once, newest first, and not when they are back', () => {
    const events = [
      goodbye(1, 'a'),
      goodbye(2, 'b'),
      goodbye(3, 'a', 'worker-left'),
      goodbye(4, 'c'),
      goodbye(5, 'd', 'scaled'),
    ];
    expect(goneWorkers(events, [member('c')], 8).map(({ seq }) => seq)).toEqual([3, 2]);
    expect(goneWorkers(events, [], 1).map(({ seq }) => seq)).toEqual([4]);
  });

  it('own slots, and an open slot has nobody', () => {
    expect(slotOwners([member('a', { slots: [0, 3] }), member('b', { slots: [1] })])).toEqual([
      'a',
      'b',
      null,
      'a',
    ]);
    expect(slotOwners([])).toEqual([]);
  });
});
