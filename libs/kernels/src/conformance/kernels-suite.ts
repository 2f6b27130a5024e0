// One suite for every implementation of `Kernels`: import it from a test file and hand it the implementation.
import { CriaError, Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import type { Accumulator } from '../accumulator.js';
import { accumulatorValue, createAccumulator, widenBlock } from '../accumulator.js';
import { PART_SIZE, meanScale } from '../grid.js';
import type { Kernels } from '../kernels.js';
import { gradientLike, mask64, plainDigest, plainPack, plainRound } from './plain.js';

const GRID = 32;
const AWKWARD = [
  0,
  -0,
  1e-45,
  -1e-45,
  2 ** -126,
  2 ** -33,
  -(2 ** -33),
  3 * 2 ** -33,
  5 * 2 ** -33,
  -3 * 2 ** -33,
  2 ** -34,
  2 ** -32,
  0.2499,
  0.25,
  -0.25,
  1,
  -1,
  511.99997,
  -511.99997,
  512,
  -512,
  NaN,
  Infinity,
  -Infinity,
  3.4e38,
];

/** Everything that an implementation has to do. */
export function kernelsSuite(kernels: Kernels): void {
  describe(`${kernels.name} kernels`, () => {
    roundingTests(kernels);
    accumulatorTests(kernels);
    digestTests(kernels);
    packTests(kernels);
    damageTests(kernels);
    normTests(kernels);
    adamwTests(kernels);
    byteTests(kernels);
  });
}

/** Random bit patterns: every exponent, NaN and Inf included. */
function randomFloats(seed: number, length: number): Float32Array {
  const rng = new Rng(seed);
  return new Float32Array(Uint32Array.from({ length }, () => rng.nextUint32()).buffer);
}

const values = (acc: Accumulator, from: number, to: number): bigint[] =>
  Array.from({ length: to - from }, (_, i) => BigInt(accumulatorValue(acc, from + i)));

/** An accumulator of one block of random integers of exactly `width` zigzag bits. */
function blockOfWidth(width: number, seed: number, wide: boolean): Accumulator {
  const rng = new Rng(seed);
  const acc = createAccumulator(256, false);
  if (wide) widenBlock(acc, 0);
  for (let j = 0; j < 256; j++) {
    const zigzag = j === 17 ? 2 ** width - 1 : Math.floor(rng.next() * 2 ** width);
    const q = zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2;
    if (wide) acc.wide[j] = q;
    else acc.small[j] = q;
  }
  return acc;
}

function roundingTests(kernels: Kernels): void {
  it.each([20, 28, 32, 40])('rounds every kind of float to the nearest even grid point, g = %i', (grid) => {
    const gradient = Float32Array.from([...AWKWARD, ...randomFloats(5, 4096)]);
    const acc = createAccumulator(8192, false);
    const digests = new BigUint64Array(1);
    expect(kernels.accumulateGradient(acc, 256, gradient, grid, digests)).toBe(true);
    const expected = [...gradient].map((x) => plainRound(x, grid));
    expect(values(acc, 256, 256 + gradient.length)).toEqual(expected);
    expect(digests[0]).toBe(plainDigest(expected, 256));
  });

  it('flags NaN, infinities and |x| >= 512, each alone, and nothing else', () => {
    for (const x of AWKWARD) {
      const gradient = new Float32Array(256).fill(1e-4);
      gradient[255] = x;
      const flagged = kernels.accumulateGradient(createAccumulator(256, false), 0, gradient, GRID, digest());
      expect(flagged, String(x)).toBe(!(Math.abs(Math.fround(x)) < 512));
    }
  });
}

const digest = (): BigUint64Array<ArrayBuffer> => new BigUint64Array(4);

function accumulatorTests(kernels: Kernels): void {
  it('sums to the same values in any order and grouping of slots', () => {
    const slots = [1, 2, 3, 4, 5].map((seed) =>
      gradientLike(seed, 2048).map((x, i) => (i < 512 ? x * 900 : x)),
    );
    const sumIn = (order: number[]): Accumulator => {
      const acc = createAccumulator(2048, true);
      for (const k of order) kernels.accumulateGradient(acc, 0, slots[k]!, GRID, digest());
      return acc;
    };
    const whole = sumIn([0, 1, 2, 3, 4]);
    expect(values(sumIn([3, 1, 4, 0, 2]), 0, 2048)).toEqual(values(whole, 0, 2048));
    const left = sumIn([4, 2]);
    const right = sumIn([3, 0, 1]);
    kernels.unpackAdd(left, 0, 2048, kernels.packPart(right, 0, 2048));
    expect(kernels.packPart(left, 0, 2048)).toEqual(kernels.packPart(whole, 0, 2048));
    const expected = Array.from({ length: 2048 }, (_, i) =>
      slots.reduce((sum, slot) => sum + plainRound(slot[i]!, GRID), 0n),
    );
    expect(values(whole, 0, 2048)).toEqual(expected);
  });

  it('stays exact when a block outgrows int32, from either side', () => {
    const large = new Float32Array(256).fill(0.2);
    large[3] = -0.2;
    const acc = createAccumulator(256, false);
    for (let slot = 0; slot < 100; slot++) kernels.accumulateGradient(acc, 0, large, GRID, digest());
    const q = plainRound(Math.fround(0.2), GRID);
    expect(values(acc, 0, 256)).toEqual(Array.from({ length: 256 }, (_, j) => (j === 3 ? -100n : 100n) * q));
    const sum = createAccumulator(256, false);
    const single = createAccumulator(256, false);
    kernels.accumulateGradient(single, 0, large, GRID, digest());
    const packed = kernels.packPart(single, 0, 256);
    for (let slot = 0; slot < 100; slot++) kernels.unpackAdd(sum, 0, 256, packed);
    expect(values(sum, 0, 256)).toEqual(values(acc, 0, 256));
  });

  it('uses flat indices: an accumulator with a base holds just its range', () => {
    const gradient = gradientLike(9, 1024);
    const whole = createAccumulator(2048, false);
    const piece = createAccumulator(1024, false, 512);
    const ofWhole = digest();
    const ofPiece = digest();
    kernels.accumulateGradient(whole, 512, gradient, GRID, ofWhole);
    kernels.accumulateGradient(piece, 512, gradient, GRID, ofPiece);
    expect(kernels.packPart(piece, 768, 1536)).toEqual(kernels.packPart(whole, 768, 1536));
    expect(ofPiece).toEqual(ofWhole);
  });

  it('counts an unfinished last block as padded with zeros', () => {
    const acc = createAccumulator(512, false);
    kernels.accumulateGradient(acc, 0, new Float32Array(300).fill(2 ** -20), GRID, digest());
    expect(values(acc, 298, 302)).toEqual([4096n, 4096n, 0n, 0n]);
  });
}

function digestTests(kernels: Kernels): void {
  it('gives the digest of every part that a gradient touches', () => {
    const length = 2 * PART_SIZE + 512;
    const gradient = new Float32Array(length);
    for (const i of [0, 255, 256, PART_SIZE - 1, PART_SIZE, 2 * PART_SIZE + 511])
      gradient[i] = 0.001 + i * 1e-9;
    const acc = createAccumulator(length, false);
    const digests = new BigUint64Array(3).fill(7n);
    kernels.accumulateGradient(acc, 0, gradient, GRID, digests);
    for (const part of [0, 1, 2]) {
      const [from, to] = [part * PART_SIZE, Math.min((part + 1) * PART_SIZE, length)];
      expect(digests[part]).toBe(7n + kernels.accumulatorDigest(acc, from, to));
    }
    expect(kernels.accumulatorDigest(acc, 256, 512)).toBe(plainDigest(values(acc, 256, 512), 256));
  });

  it('is linear: L of a sum is the sum of L', () => {
    const a = createAccumulator(1024, false);
    const digests = digest();
    for (const seed of [1, 2, 3]) {
      const gradient = gradientLike(seed, 1024).map((x) => (seed === 3 ? x * 5000 : x));
      kernels.accumulateGradient(a, 0, gradient, GRID, digests);
    }
    const packed = kernels.packPart(a, 0, 1024);
    expect(kernels.packedDigest(packed, 0, 1024)).toBe(digests[0]);
    expect(kernels.accumulatorDigest(a, 0, 1024)).toBe(digests[0]);
    const b = createAccumulator(1024, false);
    expect(kernels.unpackAdd(b, 0, 1024, packed)).toBe(digests[0]);
    expect(kernels.unpackAdd(b, 0, 1024, packed)).toBe(digests[0]);
    expect(kernels.accumulatorDigest(b, 0, 1024)).toBe(mask64(2n * digests[0]!));
  });

  it('sees every single flipped bit and every value moved elsewhere', () => {
    const words = new Uint32Array(512).map((_, i) => Math.imul(i, 0x9e3779b9));
    const before = kernels.digestWords(words, 256);
    expect(before).toBe(plainDigest([...words].map(BigInt), 256));
    for (let i = 0; i < 512; i += 37) {
      for (let bit = 0; bit < 32; bit++) {
        words[i]! ^= 1 << bit;
        expect(kernels.digestWords(words, 256)).not.toBe(before);
        words[i]! ^= 1 << bit;
      }
    }
    [words[5], words[6]] = [words[6]!, words[5]!];
    expect(kernels.digestWords(words, 256)).not.toBe(before);
  });

  it('adds up over pieces of words, ends included', () => {
    const words = new Uint32Array(1100).fill(0xffffffff);
    const whole = kernels.digestWords(words, 0);
    expect(whole).toBe(plainDigest([...words].map(BigInt), 0));
    const pieces = [words.subarray(0, 256), words.subarray(256, 768), words.subarray(768)];
    const sum = [0, 256, 768].reduce((total, at, i) => total + kernels.digestWords(pieces[i]!, at), 0n);
    expect(mask64(sum)).toBe(whole);
  });
}

function packTests(kernels: Kernels): void {
  const widths = Array.from({ length: 54 }, (_, i) => i);
  it.each(widths)('packs and unpacks a block of width %i', (width) => {
    for (const wide of width < 32 ? [false, true] : [true]) {
      const acc = blockOfWidth(width, width + 1, wide);
      const used = new Uint8Array(new SharedArrayBuffer(4096)).fill(255);
      const room = (sizeBytes: number): Uint8Array => used.subarray(0, sizeBytes);
      const packed = kernels.packPart(acc, 0, 256, wide ? room : undefined);
      expect(packed.buffer instanceof SharedArrayBuffer).toBe(wide);
      expect([...packed]).toEqual([...plainPack(values(acc, 0, 256))]);
      const back = createAccumulator(256, false);
      expect(kernels.unpackAdd(back, 0, 256, packed)).toBe(plainDigest(values(acc, 0, 256), 0));
      expect(values(back, 0, 256)).toEqual(values(acc, 0, 256));
      const mean = new Float32Array(256);
      kernels.unpackMean(packed, meanScale(GRID, 3), mean);
      const expected = values(acc, 0, 256).map((q) => Math.fround(Number(q) * (2 ** -32 / 3)));
      expect([...mean]).toEqual(expected.map((x) => x + 0));
    }
  });

  it('reads packed bytes at any alignment and tables of any length', () => {
    const acc = createAccumulator(768, false);
    kernels.accumulateGradient(acc, 0, gradientLike(4, 768).fill(3e-5, 0, 256), GRID, digest());
    const packed = kernels.packPart(acc, 0, 768);
    expect([...packed]).toEqual([...plainPack(values(acc, 0, 768))]);
    for (const shift of [0, 1, 2, 3]) {
      const moved = new Uint8Array(packed.length + 8);
      moved.set(packed, shift);
      const view = moved.subarray(shift, shift + packed.length);
      expect(kernels.packedDigest(view, 0, 768)).toBe(kernels.accumulatorDigest(acc, 0, 768));
    }
  });

  it('packs an all-zero range to its table and unpacks it over old values', () => {
    const packed = kernels.packPart(createAccumulator(1024, false), 0, 1024);
    expect([...packed]).toEqual([0, 0, 0, 0]);
    const mean = new Float32Array(1024).fill(5);
    kernels.unpackMean(packed, 1, mean);
    expect(mean.every((x) => Object.is(x, 0))).toBe(true);
  });
}

function damageTests(kernels: Kernels): void {
  const code = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      return CriaError.is(error) ? error.code : String(error);
    }
    return 'accepted';
  };

  it('rejects bytes whose table does not fit them, before anything is added', () => {
    const acc = createAccumulator(512, false);
    kernels.accumulateGradient(acc, 0, gradientLike(4, 512).fill(3e-5, 0, 256), GRID, digest());
    const packed = kernels.packPart(acc, 0, 512);
    const target = createAccumulator(512, false);
    const longer = new Uint8Array(packed.length + 1);
    longer.set(packed);
    const widened = Uint8Array.from(packed);
    widened[0]!++;
    const absurd = Uint8Array.from(packed);
    absurd[1] = 255;
    for (const bad of [
      new Uint8Array(0),
      packed.subarray(0, 1),
      packed.subarray(0, -1),
      longer,
      widened,
      absurd,
    ]) {
      expect(code(() => kernels.unpackAdd(target, 0, 512, bad))).toBe('PEER_DAMAGED');
      expect(code(() => kernels.packedDigest(bad, 0, 512))).toBe('PEER_DAMAGED');
      expect(code(() => kernels.unpackMean(bad, 1, new Float32Array(512)))).toBe('PEER_DAMAGED');
    }
    expect(values(target, 0, 512).every((q) => q === 0n)).toBe(true);
  });

  it('rejects an integer beyond 2^53, before anything is added', () => {
    const acc = blockOfWidth(40, 1, true);
    const packed = kernels.packPart(acc, 0, 256);
    packed[1 + 2047] = 0x7f;
    const target = createAccumulator(256, false);
    expect(code(() => kernels.unpackAdd(target, 0, 256, packed))).toBe('PEER_DAMAGED');
    expect(values(target, 0, 256).every((q) => q === 0n)).toBe(true);
  });
}

function normTests(kernels: Kernels): void {
  it('sums squares per chunk in sixteen lanes and a fixed tree', () => {
    const x = gradientLike(3, 4096 + 1000).map((value) => value + 0.5);
    const chunks = new Float64Array(2);
    kernels.squareSum(x, chunks);
    for (const [chunk, from, to] of [
      [0, 0, 4096],
      [1, 4096, 5096],
    ] as const) {
      const lanes = Array.from({ length: 16 }, () => 0);
      for (let i = from; i < to; i++) lanes[i % 16]! += x[i]! * x[i]!;
      const add = (count: number): void => {
        for (let l = 0; l < count; l++) lanes[l]! += lanes[l + count]!;
      };
      [8, 4, 2, 1].forEach(add);
      expect(chunks[chunk]).toBe(lanes[0]);
    }
  });
}

function adamwTests(kernels: Kernels): void {
  it('computes AdamW within rounding of the formula in double precision', () => {
    const n = 512;
    const state = {
      params: gradientLike(1, n).map((x) => x + 0.02),
      expAvg: new Float32Array(n),
      expAvgSq: new Float32Array(n),
    };
    const plain = [...state.params].map((p) => ({ p, m: 0, v: 0 }));
    const [lr, b1, b2, eps, wd, clip] = [1e-3, 0.9, 0.95, 1e-8, 0.1, 0.7];
    for (let t = 1; t <= 3; t++) {
      const gradient = gradientLike(10 + t, n).map((x) => x + 1e-6);
      const [bc1, bc2] = [1 - b1 ** t, 1 - b2 ** t];
      kernels.adamwUpdate(state, gradient.subarray(256), 256, 512, true, {
        ...{ beta1: Math.fround(b1), beta2: Math.fround(b2), eps: Math.fround(eps), clip: Math.fround(clip) },
        ...{ oneMinusBeta1: Math.fround(1 - b1), oneMinusBeta2: Math.fround(1 - b2) },
        weightDecayFactor: Math.fround(1 - lr * wd),
        stepSize: Math.fround(lr / bc1),
        inverseSqrtBiasCorrection2: Math.fround(1 / Math.sqrt(bc2)),
      });
      plain.slice(256).forEach((s, i) => {
        const g = gradient[256 + i]! * clip;
        s.m = b1 * s.m + (1 - b1) * g;
        s.v = b2 * s.v + (1 - b2) * g * g;
        s.p = s.p * (1 - lr * wd) - ((lr / bc1) * s.m) / (Math.sqrt(s.v / bc2) + eps);
      });
    }
    plain.forEach(({ p, m }, i) => {
      expect(Math.abs(state.params[i]! - p)).toBeLessThan(2e-8 * (i < 256 ? 0.001 : 1) + 1e-6 * 0.02);
      expect(Math.abs(state.expAvg[i]! - m)).toBeLessThanOrEqual(1e-6 * Math.abs(m) + 1e-12);
    });
  });

  it('rounds every AdamW operation to f32 by itself, denormals kept', () => {
    const f = Math.fround;
    const [p, m, v, g] = [f(0.3), f(1e-39), f(3e-42), f(7e-20)];
    const state = { params: Float32Array.of(p), expAvg: Float32Array.of(m), expAvgSq: Float32Array.of(v) };
    const s = {
      ...{ beta1: f(0.9), beta2: f(0.95), oneMinusBeta1: f(0.1), oneMinusBeta2: f(0.05), eps: f(1e-8) },
      ...{
        weightDecayFactor: f(0.9999),
        stepSize: f(1e-3),
        inverseSqrtBiasCorrection2: f(4.47),
        clip: f(0.9),
      },
    };
    kernels.adamwUpdate(state, Float32Array.of(g), 0, 1, false, s);
    const gc = f(g * s.clip);
    const m1 = f(f(s.beta1 * m) + f(s.oneMinusBeta1 * gc));
    const v1 = f(f(s.beta2 * v) + f(f(s.oneMinusBeta2 * gc) * gc));
    const d = f(f(f(Math.sqrt(v1)) * s.inverseSqrtBiasCorrection2) + s.eps);
    expect(state.expAvg[0]).toBe(m1);
    expect(state.expAvgSq[0]).toBe(v1);
    expect(v1).toBeGreaterThan(0);
    expect(state.params[0]).toBe(f(p - f(s.stepSize * f(m1 / d))));
  });
}

function byteTests(kernels: Kernels): void {
  it('computes CRC-32C at any offset, length and split', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(kernels.crc32c(bytes)).toBe(0xe3069283);
    expect(kernels.crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    const text = Uint8Array.from({ length: 300 }, (_, i) => (i * 131) & 255);
    const whole = kernels.crc32c(text);
    for (let cut = 0; cut <= 300; cut += 7) {
      expect(kernels.crc32c(text.subarray(cut), kernels.crc32c(text.subarray(0, cut)))).toBe(whole);
    }
  });

  it('converts to bf16 by nearest even, denormals to signed zero, NaN quiet', () => {
    const bits = [
      0x00000000, 0x80000000, 0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x007fffff, 0x80400000,
      0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0xffc12345,
    ];
    const expected = [
      0, 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0, 0x8000, 0x0080, 0x7f80, 0x7f80, 0xff80, 0x7fc0, 0xffc1,
    ];
    const out = new Uint16Array(bits.length);
    kernels.f32ToBf16(new Float32Array(Uint32Array.from(bits).buffer), out);
    expect([...out]).toEqual(expected);
    const back = new Float32Array(3);
    kernels.bf16ToF32(Uint16Array.of(0x3f80, 0x8000, 0x7f80), back);
    expect([...back]).toEqual([1, -0, Infinity]);
  });
}
