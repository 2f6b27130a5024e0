import { describe, expect, it } from 'vitest';
import { diffConfigs } from './config-diff';

describe('configurations side by side', () => {
  it('differ where a value does, or where one lacks the field', () => {
    const rows = diffConfigs([
      { seed: 1, 'optimizer.peakLr': 0.001, 'model.layers': 4 },
      { seed: 1, 'optimizer.peakLr': 0.003 },
    ]);
    expect(rows).toEqual([
      { key: 'model.layers', values: ['4', null], differs: true },
      { key: 'optimizer.peakLr', values: ['0.001', '0.003'], differs: true },
      { key: 'seed', values: ['1', '1'], differs: false },
    ]);
  });

  it('of one run do not differ', () => {
    expect(diffConfigs([{ seed: 1 }]).some(({ differs }) => differs)).toBe(false);
    expect(diffConfigs([])).toEqual([]);
  });
});
