import { describe, expect, it } from 'vitest';
import { accumulatorValue, clearAccumulator, copyAccumulator, createAccumulator } from './accumulator.js';
import { BLOCK_SIZE, checkGrid, PART_SIZE, partCount, partRange, SQUARE_CHUNK_SIZE } from './grid.js';
import { combineStateDigest } from './reference/digest.js';
import { referenceKernels } from './reference/reference-kernels.js';
import { addChunks } from './reference/square-sum.js';

const large = (): Float32Array => Float32Array.from({ length: 768 }, (_, i) => (i < 256 ? 1 + i : i * 1e-6));

describe('accumulator', () => {
  it('clears wide and small blocks of just its range', () => {
    const acc = createAccumulator(768, true);
    referenceKernels.accumulateGradient(acc, 0, large(), 32, new BigUint64Array(1));
    const kept = accumulatorValue(acc, 512);
    clearAccumulator(acc, 0, 512);
    expect(accumulatorValue(acc, 3)).toBe(0);
    expect(accumulatorValue(acc, 511)).toBe(0);
    expect(accumulatorValue(acc, 512)).toBe(kept);
  });

  it('copies a range over whatever was there, wide or not', () => {
    const source = createAccumulator(768, false);
    referenceKernels.accumulateGradient(source, 0, large(), 32, new BigUint64Array(1));
    const target = createAccumulator(512, false, 256);
    target.isWide.fill(1);
    copyAccumulator(target, source, 256, 768);
    expect(referenceKernels.packPart(target, 256, 768)).toEqual(referenceKernels.packPart(source, 256, 768));
    const first = createAccumulator(256, false);
    copyAccumulator(first, source, 0, 256);
    expect(accumulatorValue(first, 7)).toBe(8 * 2 ** 32);
  });
});

describe('grid', () => {
  it('refuses a grid on which the slots could overflow 2^53, naming the largest', () => {
    expect(() => checkGrid(32, 8)).not.toThrow();
    expect(() => checkGrid(32, 4096)).not.toThrow();
    expect(() => checkGrid(32, 4097)).toThrow(/from 1 to 31/);
    expect(() => checkGrid(32.5, 8)).toThrow(/whole number/);
  });

  it('cuts a flat array into parts of whole chunks, the last one shorter', () => {
    expect(PART_SIZE % SQUARE_CHUNK_SIZE).toBe(0);
    expect(PART_SIZE % BLOCK_SIZE).toBe(0);
    expect(partCount(PART_SIZE + 256)).toBe(2);
    expect(partRange(1, PART_SIZE + 256)).toEqual({ from: PART_SIZE, to: PART_SIZE + 256 });
  });
});

describe('state digest', () => {
  it('tells the three arrays apart', () => {
    expect(combineStateDigest(1n, 2n, 3n)).not.toBe(combineStateDigest(2n, 1n, 3n));
    expect(combineStateDigest(1n, 2n, 3n)).not.toBe(combineStateDigest(1n, 2n, 4n));
  });
});

describe('global norm', () => {
  it('adds chunks in ascending order', () => {
    expect(addChunks(Float64Array.of(1e16, 1, 1))).toBe(1e16);
    expect(addChunks(Float64Array.of(1, 1, 1e16))).toBe(1e16 + 2);
  });
});
