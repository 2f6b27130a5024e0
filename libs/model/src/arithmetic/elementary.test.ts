// Against the standard library's functions, which are right to about one unit in the last place.
import { describe, expect, it } from 'vitest';
import { cosine, exponential, naturalLogarithm, realPower, sine, wholePower } from './elementary.js';
import { inverseNormal } from './inverse-normal.js';

function largest(from: number, to: number, error: (x: number) => number): number {
  let worst = 0;
  for (let i = 0; i <= 20_000; i++) worst = Math.max(worst, error(from + ((to - from) * i) / 20_000));
  return worst;
}

describe('our elementary functions', () => {
  it('give cosine and sine within 1e-15, also far out', () => {
    expect(largest(0, Math.PI, (x) => Math.abs(cosine(x) - Math.cos(x)))).toBeLessThan(1e-15);
    expect(largest(-5000, 5000, (x) => Math.abs(cosine(x) - Math.cos(x)))).toBeLessThan(1e-15);
    expect(largest(-5000, 5000, (x) => Math.abs(sine(x) - Math.sin(x)))).toBeLessThan(1e-15);
    expect(() => cosine(1e9)).toThrow('too large');
    expect(() => cosine(NaN)).toThrow('too large');
  });

  it('are exact where the schedule starts and ends', () => {
    expect(cosine(0)).toBe(1);
    expect(cosine(Math.PI)).toBe(-1);
  });

  it('give the logarithm within 1e-15', () => {
    const relative = (x: number): number => Math.abs(naturalLogarithm(x) / Math.log(x) - 1);
    expect(largest(1e-10, 0.9, relative)).toBeLessThan(1e-15);
    expect(largest(1.1, 1e6, relative)).toBeLessThan(1e-15);
    expect(naturalLogarithm(1)).toBe(0);
    for (const x of [0, -1, NaN, Infinity]) expect(() => naturalLogarithm(x)).toThrow('no logarithm');
  });

  it('give the exponential within 1e-15', () => {
    expect(largest(-600, 600, (x) => Math.abs(exponential(x) / Math.exp(x) - 1))).toBeLessThan(1e-15);
    expect(exponential(0)).toBe(1);
    expect(() => exponential(1000)).toThrow('out of range');
  });

  it('give powers', () => {
    expect(largest(0, 1, (x) => Math.abs(realPower(10_000, x) / 10_000 ** x - 1))).toBeLessThan(1e-14);
    for (const exponent of [0, 1, 2, 3, 100, 499_679]) {
      expect(wholePower(0.95, exponent)).toBeCloseTo(0.95 ** exponent, 15);
    }
    expect(wholePower(3, 30)).toBe(3 ** 30);
  });
});

describe('the inverse normal distribution', () => {
  // Quantiles to 15 digits as tabulated, e.g. Abramowitz & Stegun 26.2 and its successors.
  it.each([
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.9, 1.2815515655446004],
    [0.99, 2.3263478740408408],
    [1e-3, -3.090232306167813],
    [1e-9, -5.9978070150076865],
  ])('has the quantile of %f', (p, quantile) => {
    expect(Math.abs(inverseNormal(p) - quantile)).toBeLessThanOrEqual(1.2e-9 * Math.abs(quantile));
  });

  it('is antisymmetric', () => {
    for (const p of [0.01, 0.02, 0.25]) expect(inverseNormal(1 - p)).toBeCloseTo(-inverseNormal(p), 12);
  });
});
