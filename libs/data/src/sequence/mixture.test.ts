import { CriaError } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { Mixture } from './mixture.js';

function places(weights: number[], count: number): Array<{ source: number; draw: number }> {
  const mixture = new Mixture(weights);
  return Array.from({ length: count }, (_, index) => mixture.placeOf(index));
}

describe('the mixture', () => {
  it('gives a single source every sequence in order', () => {
    expect(places([3], 4)).toEqual([0, 1, 2, 3].map((draw) => ({ source: 0, draw })));
  });

  it('counts each source from 0 without a gap, in whatever order it is asked', () => {
    const weights = [0.67, 0.15, 0.045, 0.045, 0.045, 0.025, 0.02];
    const next = weights.map(() => 0);
    const inOrder = places(weights, 200_000);
    expect(inOrder.every(({ source, draw }) => draw === next[source]++)).toBe(true);
    const mixture = new Mixture(weights);
    for (const index of [150_000, 65_536, 7]) expect(mixture.placeOf(index)).toEqual(inOrder[index]);
  });

  it('keeps every share to one part in 65,536', () => {
    const weights = [0.67, 0.15, 0.045, 0.045, 0.045, 0.025, 0.02];
    const all = places(weights, 65_536);
    weights.forEach((weight, source) => {
      const share = all.filter((place) => place.source === source).length / all.length;
      expect(Math.abs(share - weight)).toBeLessThan(1 / 65_536);
    });
  });

  it('stays within one sequence per source of the exact share at every moment', () => {
    const weights = [5, 2, 1];
    const drawn = [0, 0, 0];
    places(weights, 4000).forEach(({ source }, index) => {
      drawn[source]++;
      weights.forEach((weight, at) => {
        expect(Math.abs(drawn[at] - ((index + 1) * weight) / 8)).toBeLessThanOrEqual(1);
      });
    });
  });

  it('is exact for whole weights, and only their ratio counts', () => {
    expect(new Mixture([1, 2]).counts).toEqual([1, 2]);
    expect(places([1, 2], 50)).toEqual(places([10, 20], 50));
    expect(new Mixture([0.5, 0.5]).counts).toEqual([1, 1]);
  });

  it.each([[[1, 0]], [[1, -1]], [[1, Number.NaN]], [[1, Infinity]]])('refuses the weights %j', (weights) => {
    expect(() => new Mixture(weights)).toThrow(CriaError);
    expect(() => new Mixture(weights)).toThrow('data.train.1.weight');
  });

  it('refuses a weight that would never be drawn', () => {
    expect(() => new Mixture([1, 1e-7])).toThrow('data.train.1.weight is 1e-7: less than 1/65536');
  });
});
