import { describe, expect, it } from 'vitest';
import { philox, Rng } from './rng.js';

function words(seed: number, high: number, low: number): number[] {
  const out = new Uint32Array(2);
  philox(seed, high, low, out);
  return [...out];
}

describe('philox', () => {
  it('gives the known answers of the Random123 distribution (philox2x32-10)', () => {
    expect(words(0, 0, 0)).toEqual([0xff1dae59, 0x6cd10df2]);
    expect(words(0xffffffff, 0xffffffff, 0xffffffff)).toEqual([0x2c3f628b, 0xab4fd7ad]);
    expect(words(0x13198a2e, 0x85a308d3, 0x243f6a88)).toEqual([0xdd7ce038, 0xf62a4c12]);
  });
});

describe('Rng', () => {
  it('repeats itself for one seed and differs for another', () => {
    const draw = (seed: number): number[] => {
      const rng = new Rng(seed);
      return Array.from({ length: 5 }, () => rng.nextUint32());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('is uniform enough for a simulator', () => {
    const rng = new Rng(3);
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8000; i++) counts[rng.below(8)]! += 1;
    // Five standard deviations of a binomial(8000, 1/8) around 1000.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
