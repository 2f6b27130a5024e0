import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { checkLayout, segmentsOf, type FlatLayout } from './flat-layout.js';
import { RangeCoverage } from './range-coverage.js';
import { sampleLayout } from './sample-checkpoint.js';

describe('segments of a flat range', () => {
  it('hold each stored element once and no padding, for any range', () => {
    const owner = new Int32Array(sampleLayout.paddedSize).fill(-1);
    sampleLayout.tensors.forEach(({ offset, size }, i) => owner.fill(i, offset, offset + size));
    const rng = new Rng(4);
    for (let round = 0; round < 500; round++) {
      const from = rng.below(sampleLayout.paddedSize + 1);
      const count = rng.below(sampleLayout.paddedSize + 1 - from);
      const seen = new Int32Array(sampleLayout.paddedSize).fill(-1);
      for (const { tensor, offsetInTensor, offsetInRange, count: length } of segmentsOf(
        sampleLayout,
        from,
        count,
      )) {
        expect(offsetInRange + from).toBe((sampleLayout.tensors[tensor]?.offset ?? NaN) + offsetInTensor);
        seen.fill(tensor, from + offsetInRange, from + offsetInRange + length);
      }
      expect(seen.subarray(from, from + count)).toEqual(owner.subarray(from, from + count));
    }
  });

  it('are refused outside the flat array', () => {
    expect(() => segmentsOf(sampleLayout, 100, 61)).toThrow(/outside/);
  });
});

describe('a layout', () => {
  const [first, second] = sampleLayout.tensors as [FlatLayout['tensors'][0], FlatLayout['tensors'][0]];
  it.each<[string, FlatLayout]>([
    ['begins before', { tensors: [first, { ...second, offset: 59 }], paddedSize: 160 }],
    ['its shape says otherwise', { tensors: [{ ...first, size: 61 }], paddedSize: 160 }],
    ['stands twice', { tensors: [first, { ...second, name: first.name }], paddedSize: 160 }],
    ['behind paddedSize', { tensors: [first, second], paddedSize: 95 }],
  ])('is refused when a tensor %s', (message, layout) => {
    expect(() => checkLayout(layout)).toThrow(message);
  });
});

describe('coverage', () => {
  it('agrees with a bitmap, for any ranges', () => {
    for (let seed = 0; seed < 100; seed++) {
      const rng = new Rng(seed, 1);
      const size = 1 + rng.below(60);
      const coverage = new RangeCoverage(size);
      const bitmap = new Array<boolean>(size).fill(false);
      for (let round = 0; round < 40; round++) {
        const from = rng.below(size);
        const end = from + rng.below(Math.min(size - from, 8) + 1);
        const isFree = bitmap.slice(from, end).every((bit) => !bit);
        const double = coverage.claim({ from, end });
        expect(double === null).toBe(isFree);
        if (double === null) bitmap.fill(true, from, end);
        else expect(bitmap.slice(double.from, double.end).every((bit) => bit)).toBe(true);
      }
      const missing = coverage
        .missing()
        .flatMap(({ from, end }) => Array.from({ length: end - from }, (_, i) => from + i));
      expect(missing).toEqual([...bitmap.keys()].filter((i) => !bitmap[i]));
    }
  });
});
