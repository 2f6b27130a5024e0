import { describe, expect, it } from 'vitest';
import { systemClock } from '@cria/runtime';
import { BenchGradient } from './bench-gradient.js';
import { benchExchange } from './bench-exchange.js';

describe('bench exchange', () => {
  it('measures exchange and plain TCP between processes that agree on the sum', async () => {
    const result = await benchExchange({ workers: 2, parameters: 300_000, rounds: 1, clock: systemClock });
    expect(result).toMatchObject({ workers: 2, parameters: 300_000 });
    expect(result.samples.length).toBe(1);
    expect(result.bitsPerParameterSlot).toBeGreaterThan(10);
    expect(result.bitsPerParameterSlot).toBeLessThan(14);
    expect(result.bitsPerParameterSum).toBeGreaterThan(result.bitsPerParameterSlot);
    const packedBytes = (result.bitsPerParameterSum * 300_000) / 8;
    expect(result.bytesReceivedPerWorker).toBeGreaterThan(0.8 * packedBytes);
    expect(result.bytesReceivedPerWorker).toBeLessThan(1.2 * packedBytes);
  });
});

describe('bench gradient', () => {
  it('has 45 % zero rows, the same for every worker, and small normal values elsewhere', () => {
    const [a, b] = [0, 1].map((index) => {
      const values = new Float32Array(1024 * 1000);
      new BenchGradient(index).fill(0, values);
      return values;
    }) as [Float32Array, Float32Array];
    const zeroRows = Array.from({ length: 1000 }, (_, row) => a[row * 1024] === 0);
    expect(zeroRows).toEqual(Array.from({ length: 1000 }, (_, row) => b[row * 1024] === 0));
    expect(zeroRows.filter(Boolean).length).toBeGreaterThan(400);
    expect(zeroRows.filter(Boolean).length).toBeLessThan(500);
    const rms = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0) / a.length);
    expect(rms).toBeGreaterThan(5e-5);
    expect(rms).toBeLessThan(5e-4);
    expect(a).not.toEqual(b);
  });
});
