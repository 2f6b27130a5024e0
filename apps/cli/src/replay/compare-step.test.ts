import { describe, expect, it } from 'vitest';
import { firstDifference } from './compare-step.js';

const MATH = {
  ...{ step: 3, tokens: 96, lr: 1e-3, stateDigest: 'aa', gradDigest: 'bb', gradNorm: 1.5, loss: 10.25 },
  ...{ flagged: [], verdict: 'use' as const },
};

describe('firstDifference', () => {
  it('is null for equal mathematics, NaN losses included', () => {
    expect(firstDifference(MATH, MATH)).toBeNull();
    expect(firstDifference({ ...MATH, loss: NaN }, { ...MATH, loss: NaN })).toBeNull();
  });

  it('names the digest that the others follow from', () => {
    const computed = { ...MATH, stateDigest: 'ab', gradDigest: 'bc' };
    expect(firstDifference(computed, MATH)).toEqual({
      ...{ step: 3, field: 'stateDigest', ledger: 'aa', computed: 'ab' },
    });
  });

  it('tells floats apart by their bits', () => {
    expect(firstDifference({ ...MATH, loss: 10.250000000000002 }, MATH)?.field).toBe('loss');
    expect(firstDifference({ ...MATH, flagged: [2] }, MATH)?.field).toBe('flagged');
  });
});
