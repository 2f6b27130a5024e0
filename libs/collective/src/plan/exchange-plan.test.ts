import { describe, expect, it } from 'vitest';
import { faultySlots, ownedParts, ownerIndex, sameSlots } from './exchange-plan.js';

const sets = (...slots: number[][]): Parameters<typeof faultySlots>[0] =>
  slots.map((of, i) => ({ worker: `w${i}`, address: '', slots: of }));

describe('exchange plan', () => {
  it.each([1, 2, 3, 7])('gives every part one owner among %i members', (members) => {
    const owned = Array.from({ length: members }, (_, index) => ownedParts(index, members, 10));
    expect(owned.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    owned.forEach((parts, index) => parts.forEach((part) => expect(ownerIndex(part, members)).toBe(index)));
  });

  it('finds slots that are named twice, not at all, or do not exist', () => {
    expect(faultySlots(sets([0, 2], [1], []), 3)).toEqual([]);
    expect(faultySlots(sets([0, 2], [1, 2]), 3)).toEqual([2]);
    expect(faultySlots(sets([0, 0], [1]), 3)).toEqual([0, 2]);
    expect(faultySlots(sets([0, 1, 2, 3]), 3)).toEqual([3]);
  });

  it('compares sets in any order, doubles included', () => {
    expect(sameSlots([1, 2, 3], [3, 1, 2])).toBe(true);
    expect(sameSlots([1, 2], [1, 2, 3])).toBe(false);
    expect(sameSlots([1, 2, 2], [1, 2])).toBe(false);
    expect(sameSlots([], [])).toBe(true);
  });
});
