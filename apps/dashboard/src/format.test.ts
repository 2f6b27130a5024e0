import { describe, expect, it } from 'vitest';
import * as format from './format';

describe('numbers for people', () => {
  it('are short and keep their unit', () => {
    expect([0, 999, 1000, 610_000, 98_240_888_832, null].map(format.formatCompact)).toEqual([
      '0',
      '999',
      '1.0k',
      '610k',
      '98.2B',
      '–',
    ]);
    expect([0, 1000, 1024, 192_400_000].map(format.formatBytes)).toEqual([
      '0 B',
      '1000 B',
      '1.0 KiB',
      '183 MiB',
    ]);
    expect([0.00065, 1.31245, 12, 0, 123456, null].map(format.formatValue)).toEqual([
      '6.50e-4',
      '1.312',
      '12',
      '0',
      '123,456',
      '–',
    ]);
    expect([0, 11, 10.5, 0.001, 5e-4, 20_000, 12_500].map(format.formatTick)).toEqual([
      '0',
      '11',
      '10.5',
      '0.001',
      '5e-4',
      '20k',
      '12.5k',
    ]);
  });

  it('say that a loss was not finite, or that there is none', () => {
    expect([5.12344, null, undefined].map(format.formatLoss)).toEqual(['5.1234', 'not finite', '–']);
  });

  it('tell durations by their two largest units', () => {
    expect([400, 61_000, 3_725_000, 200 * 3_600_000, Infinity, null].map(format.formatDuration)).toEqual([
      '0 s',
      '1 min 01 s',
      '1 h 02 min',
      '8 d 08 h',
      '–',
      '–',
    ]);
  });

  it('call silence silence', () => {
    expect(format.formatContact(400)).toBe('now');
    expect(format.formatContact(12_300)).toBe('no contact for 12 s');
  });

  it('gather slots', () => {
    expect(format.formatRanges([7, 0, 2, 1, 3])).toBe('0–3, 7');
    expect(format.formatRanges([])).toBe('–');
  });
});
