import { describe, expect, it } from 'vitest';
import { CriaError } from '@cria/runtime';
import { ReportPart } from './report-part.js';
import type { SlotResult } from './report-part.js';

const result = (slot: number, more: Partial<SlotResult> = {}): SlotResult => ({
  ...{ slot, lossBits: 0xc1200000 + slot, tokens: 1024, flagged: slot === 2 },
  digests: BigUint64Array.of(BigInt(slot + 1), (1n << 64n) - 1n),
  ...more,
});

function reportOf(...slots: number[]): ReportPart {
  const report = new ReportPart(3, 2);
  slots.forEach((slot) => report.addSlot(result(slot)));
  return report;
}

describe('report part', () => {
  it('sums to every slot once, with what each slot said', () => {
    const sum = reportOf(2);
    sum.add(ReportPart.decode(reportOf(0, 1).encode(), 3, 2));
    expect(sum.wrongCounts()).toEqual([]);
    expect([0, 1, 2].map((slot) => sum.slot(slot))).toEqual([0, 1, 2].map((slot) => result(slot)));
  });

  it('does not depend on who reports which slot, or in which order they are added', () => {
    const one = reportOf(0);
    one.add(reportOf(2, 1));
    const other = reportOf(1);
    other.add(reportOf(0));
    other.add(reportOf(2));
    expect(one.encode()).toEqual(other.encode());
  });

  it('counts slots that are missing or in the sum twice', () => {
    const sum = reportOf(0, 1);
    sum.add(reportOf(1));
    expect(sum.wrongCounts()).toEqual([
      { slot: 1, count: 2 },
      { slot: 2, count: 0 },
    ]);
  });

  it('adds digests mod 2^64 and holds a sum against them', () => {
    const sum = reportOf(0, 1, 2);
    expect(sum.partDigest(0)).toBe(6n);
    expect(sum.checkSum(1, (1n << 64n) - 3n)).toBe(true);
    expect(sum.checkSum(1, (1n << 64n) - 2n)).toBe(false);
  });

  it('refuses bytes of another shape', () => {
    const bytes = reportOf(0).encode();
    for (const [slots, parts] of [
      [4, 2],
      [3, 3],
    ] as const) {
      expect(() => ReportPart.decode(bytes, slots, parts)).toThrow(CriaError);
    }
  });
});
