import { describe, expect, it } from 'vitest';
import { permutationKey, permute } from './permutation.js';

const SIZES = [
  1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 97, 127, 128, 129, 1000, 1021, 4095, 4096, 4097, 65_537,
];

function images(seed: number, pass: number, size: number): number[] {
  const key = permutationKey(seed, 0, pass);
  return Array.from({ length: size }, (_, index) => permute(key, size, index));
}

describe('the permutation', () => {
  it.each(SIZES)('hits every one of %i elements once', (size) => {
    for (let seed = 0; seed < 3; seed++) {
      expect(new Set(images(seed, 0, size)).size).toBe(size);
      expect(Math.max(...images(seed, 0, size).slice(0, 10_000))).toBeLessThan(size);
    }
  });

  it('depends on the index alone, not on what was asked before', () => {
    const key = permutationKey(1337, 0, 2);
    const forwards = images(1337, 2, 1000);
    for (let index = 999; index >= 0; index--) expect(permute(key, 1000, index)).toBe(forwards[index]);
  });

  it('differs between seeds, sources and passes', () => {
    const keys = [
      permutationKey(1, 0, 0),
      permutationKey(2, 0, 0),
      permutationKey(1 + 2 ** 32, 0, 0),
      permutationKey(1, 1, 0),
      permutationKey(1, 0, 1),
      permutationKey(0, 1, 1),
    ];
    const orders = keys.map((key) => Array.from({ length: 64 }, (_, at) => permute(key, 64, at)).join());
    expect(new Set(orders).size).toBe(keys.length);
  });

  it('gives both orders of two elements', () => {
    const orders = Array.from({ length: 20 }, (_, seed) => images(seed, 0, 2).join());
    expect(new Set(orders)).toEqual(new Set(['0,1', '1,0']));
  });

  it('leaves about one element in its place, as a random permutation does', () => {
    let fixed = 0;
    for (let seed = 0; seed < 200; seed++)
      fixed += images(seed, 0, 101).filter((image, at) => image === at).length;
    expect(fixed / 200).toBeGreaterThan(0.7);
    expect(fixed / 200).toBeLessThan(1.3);
  });

  it('sends each index everywhere: chi-square over 16 elements and 16,000 seeds', () => {
    const counts = new Array<number>(16 * 16).fill(0);
    for (let seed = 0; seed < 16_000; seed++)
      images(seed, 0, 16).forEach((image, at) => counts[at * 16 + image]++);
    const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(225 + 6 * Math.sqrt(2 * 225)); // 15 x 15 degrees of freedom
  });

  it('stays inside and injective for sizes near 2^48', () => {
    const key = permutationKey(7, 0, 0);
    for (const size of [2 ** 32 + 1, 2 ** 40 - 87, 2 ** 48 - 59, 2 ** 48]) {
      const indices = [0, 1, 2, size / 2, size - 2, size - 1].map(Math.floor);
      const found = indices.map((index) => permute(key, size, index));
      expect(new Set(found).size).toBe(indices.length);
      expect(found.every((image) => Number.isSafeInteger(image) && image >= 0 && image < size)).toBe(true);
    }
  });

  it('never changes: these values are part of every shuffled run', () => {
    expect(images(1337, 0, 10)).toMatchInlineSnapshot(`
      [
        0,
        8,
        7,
        2,
        4,
        6,
        1,
        3,
        5,
        9,
      ]
    `);
    expect(permute(permutationKey(1337, 1, 3), 95_938_368, 4_242_424)).toMatchInlineSnapshot(`91473758`);
  });

  it('refuses an index outside', () => {
    expect(() => permute(permutationKey(1, 0, 0), 10, 10)).toThrow('the index lies in the permutation');
    expect(() => permute(permutationKey(1, 0, 0), 0, 0)).toThrow('1 to 2^48');
  });
});
