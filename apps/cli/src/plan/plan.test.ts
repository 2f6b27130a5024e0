import { readFileSync } from 'node:fs';
import { parseRunConfig } from '@cria/protocol';
import { describe, expect, it } from 'vitest';
import { planRun } from './plan.js';

const file = new URL('../../../../configs/litellama-460m.yaml', import.meta.url);
const config = parseRunConfig(readFileSync(file, 'utf8'), 'litellama-460m.yaml');
const inputs = {
  config,
  workers: 8,
  tokensPerSecondPerWorker: 20_000,
  pricePerHour: 2,
  hoursBetweenFailures: 1000,
  bitsPerParameter: 10,
};

describe('planRun', () => {
  it('knows the size and the budget of LiteLlama', () => {
    const plan = planRun(inputs);
    expect(plan.parameters).toBe(461_685_760);
    expect(plan.tokens).toBe(98_240_888_832);
  });

  it('divides the work among workers that divide the slots', () => {
    const plan = planRun(inputs);
    expect(plan.computeSecondsPerStep).toBeCloseTo((192 * 1024) / (8 * 20_000), 6);
    expect(plan.days).toBeCloseTo(98_240_888_832 / (8 * 20_000) / 86_400, 6);
    expect(plan.cost).toBeCloseTo(plan.days * 24 * 8 * 2, 6);
  });

  it('counts a last round that not everybody has work in', () => {
    const seven = planRun({ ...inputs, workers: 7 });
    expect(seven.computeSecondsPerStep).toBeCloseTo((7 * 4 * 1024) / 20_000, 6);
  });

  it('exchanges nothing alone, and at most twice the packed gradient', () => {
    expect(planRun({ ...inputs, workers: 1 }).exchangeBytesPerStep).toBe(0);
    expect(planRun({ ...inputs, workers: 2 }).exchangeBytesPerStep).toBe((461_685_760 * 10) / 8);
  });

  it('leaves the cost open without a price', () => {
    expect(planRun({ ...inputs, pricePerHour: null }).cost).toBeNull();
  });
});
