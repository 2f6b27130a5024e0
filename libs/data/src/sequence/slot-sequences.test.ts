import { describe, expect, it } from 'vitest';
import { slotSequences } from './slot-sequences.js';

describe('the sequences of a slot', () => {
  it('cover every sequence of every step once', () => {
    const seen: number[] = [];
    for (let step = 0; step < 3; step++) {
      for (let slot = 0; slot < 4; slot++) {
        const { first, count } = slotSequences({ step, slot, globalBatch: 12, slots: 4 });
        for (let at = 0; at < count; at++) seen.push(first + at);
      }
    }
    expect(seen).toEqual(Array.from({ length: 36 }, (_, at) => at));
  });

  it('reach the end of the LiteLlama budget', () => {
    expect(slotSequences({ step: 499_678, slot: 191, globalBatch: 192, slots: 192 })).toEqual({
      first: 95_938_367,
      count: 1,
    });
  });

  it('need slots that divide the batch', () => {
    expect(() => slotSequences({ step: 0, slot: 0, globalBatch: 10, slots: 4 })).toThrow('divides');
  });
});
