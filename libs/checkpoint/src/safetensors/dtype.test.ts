import { describe, expect, it } from 'vitest';
import { narrowToBfloat16, widenToFloat32 } from './dtype.js';

const halves = (bits: readonly number[]): Uint8Array => {
  const bytes = Buffer.alloc(2 * bits.length);
  bits.forEach((word, i) => bytes.writeUInt16LE(word, 2 * i));
  return bytes;
};

function widen(dtype: 'BF16' | 'F16', bits: readonly number[]): number[] {
  const out = new Float32Array(bits.length);
  widenToFloat32(out, halves(bits), dtype);
  return [...out];
}

describe('16-bit floats', () => {
  it('widen exactly from BF16', () => {
    expect(widen('BF16', [0x3f80, 0xc040, 0x0000, 0x8000, 0x7f80, 0x0001])).toEqual([
      1,
      -3,
      0,
      -0,
      Infinity,
      2 ** -133,
    ]);
    expect(widen('BF16', [0x7fc0])[0]).toBeNaN();
  });

  it('widen exactly from F16, for every bit pattern', () => {
    const all = widen('F16', [...Array(0x10000).keys()]);
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
      const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      const special = fraction === 0 ? Infinity : NaN;
      const expected = (bits & 0x8000 ? -1 : 1) * (exponent === 31 ? special : size);
      if (!Object.is(all[bits], expected)) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('round to BF16 to nearest, ties to even', () => {
    const narrow = (...values: number[]): number[] => {
      const out = new Uint16Array(values.length);
      narrowToBfloat16(out, Float32Array.from(values));
      return [...out];
    };
    expect(narrow(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20)).toEqual([
      0x3f80, 0x3f80, 0x3f82, 0x3f81,
    ]);
    expect(narrow(-0, Infinity, 3.4e38, NaN)).toEqual([0x8000, 0x7f80, 0x7f80, 0x7fc0]);
  });
});
