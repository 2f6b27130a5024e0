import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { f32Bits, f32FromBits, f64Bits, f64FromBits } from './float-bits.js';

describe('float bits', () => {
  it('writes the bits that IEEE 754 prescribes', () => {
    expect(f64Bits(1)).toBe('3ff0000000000000');
    expect(f64Bits(-0)).toBe('8000000000000000');
    expect(f64Bits(Infinity)).toBe('7ff0000000000000');
    expect(f32Bits(1.5)).toBe('3fc00000');
    expect(f32Bits(-Infinity)).toBe('ff800000');
  });

  it('writes every NaN in one way', () => {
    const odd = new DataView(new ArrayBuffer(8));
    odd.setBigUint64(0, 0xfff4000000000123n);
    expect(f64Bits(odd.getFloat64(0))).toBe('7ff8000000000000');
    odd.setUint32(0, 0xffc00001);
    expect(f32Bits(odd.getFloat32(0))).toBe('7fc00000');
  });

  it('reads back every bit pattern, and only canonical NaNs', () => {
    const rng = new Rng(11);
    for (let i = 0; i < 2000; i++) {
      const bits = [rng.nextUint32(), rng.nextUint32()].map((w) => w.toString(16).padStart(8, '0'));
      const wide = f64FromBits(bits.join(''));
      const narrow = f32FromBits(bits[0] ?? '');
      if (wide !== null) expect(f64Bits(wide)).toBe(bits.join(''));
      if (narrow !== null) expect(f32Bits(narrow)).toBe(bits[0]);
    }
    expect(f64FromBits('7ff8000000000001')).toBeNull();
    expect(f32FromBits('7fc00001')).toBeNull();
    expect(f64FromBits('7ff8000000000000')).toBeNaN();
  });

  it('refuses text that is not hex of the right length', () => {
    for (const text of ['', '3FF0000000000000', '3ff', ' ff0000000000000', '3ff00000000000000']) {
      expect(f64FromBits(text)).toBeNull();
    }
  });
});
