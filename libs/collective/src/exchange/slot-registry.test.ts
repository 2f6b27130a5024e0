import { describe, expect, it } from 'vitest';
import { AssertionError } from '@cria/runtime';
import { SlotRegistry } from './slot-registry.js';

const PARTS = 2;
const done = (slot: number): Parameters<SlotRegistry['slotDone']>[1] => ({
  ...{ slot, lossBits: 1, tokens: 2, flagged: false },
  digests: BigUint64Array.of(10n + BigInt(slot), 20n),
});

describe('slot registry', () => {
  it('calls a part ready once every slot of the set has passed it', () => {
    const registry = new SlotRegistry(PARTS);
    registry.reset(5);
    registry.slotDone(5, done(0));
    expect(registry.isReady(5, [0, 1], 0)).toBe(false);
    registry.partsPassed({ step: 5, slot: 1, fromPart: 1, endPart: 2, digests: BigUint64Array.of(7n) });
    expect([0, 1, PARTS].map((part) => registry.isReady(5, [0, 1], part))).toEqual([false, true, false]);
    expect(registry.partDigest([0, 1], 1)).toBe(27n);
    registry.slotDone(5, done(1));
    expect([0, 1, PARTS].map((part) => registry.isReady(5, [0, 1], part))).toEqual([true, true, true]);
  });

  it('counts a slot that still runs as foreign to a set without it', () => {
    const registry = new SlotRegistry(PARTS);
    registry.partsPassed({ step: 0, slot: 3, fromPart: 0, endPart: 1, digests: BigUint64Array.of(7n) });
    expect(registry.foreign([1])).toEqual([3]);
    expect(registry.has()).toEqual([]);
  });

  it('calls an empty set ready at any step, and another step never', () => {
    const registry = new SlotRegistry(PARTS);
    registry.slotDone(0, done(0));
    expect(registry.isReady(9, [], 0)).toBe(true);
    expect(registry.isReady(9, [0], 0)).toBe(false);
  });

  it('forgets all slots with the accumulator', () => {
    const registry = new SlotRegistry(PARTS);
    registry.slotDone(0, done(0));
    registry.reset(1);
    expect([registry.has(), registry.foreign([])]).toEqual([[], []]);
    expect(() => registry.slotDone(0, done(0))).toThrow(AssertionError);
  });
});
