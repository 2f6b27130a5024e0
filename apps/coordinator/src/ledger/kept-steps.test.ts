import { LOSS_WINDOW, type LedgerEntry } from '@cria/ledger';
import { describe, expect, it } from 'vitest';
import { firstKeptStep } from './kept-steps.js';

function entries(count: number, isSkipped: (step: number) => boolean = () => false): LedgerEntry[] {
  return Array.from({ length: count }, (_, step) => {
    return { math: { step, verdict: isSkipped(step) ? 'skip' : 'use' } } as LedgerEntry;
  });
}

describe('firstKeptStep', () => {
  it('keeps everything while the window of losses is not full', () => {
    expect(firstKeptStep(entries(LOSS_WINDOW - 1), [50, 100])).toBe(0);
  });

  it('keeps what came since the newest manifest but one', () => {
    expect(firstKeptStep(entries(1000), [300, 400, 500])).toBe(400);
    expect(firstKeptStep(entries(1000), [500])).toBe(0);
  });

  it('keeps the last 128 steps that were not skipped', () => {
    expect(firstKeptStep(entries(1000), [980, 990])).toBe(1000 - LOSS_WINDOW);
    expect(
      firstKeptStep(
        entries(1000, (step) => step >= 900),
        [980, 990],
      ),
    ).toBe(900 - LOSS_WINDOW);
  });
});
