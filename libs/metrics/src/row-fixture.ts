// A row for tests, with the fields that matter to the test set by hand.
import type { StepMetrics } from './step-metrics.js';

export function rowAt(step: number, fields: Partial<StepMetrics> = {}): StepMetrics {
  return {
    step,
    tokens: (step + 1) * 4096,
    loss: 10 - step / 100,
    gradNorm: 1.25,
    lr: 1e-3,
    tokensPerSecond: 20_000,
    stepMs: 200,
    computeMs: 150,
    dataMs: 1,
    exchangeMs: 30,
    waitMs: 10,
    commitMs: 2,
    lostMs: 0,
    attempts: 1,
    workers: 2,
    bitsPerParameter: 10.5,
    mfu: null,
    verdict: 'use',
    wallMs: 1_700_000_000_000 + step * 200,
    activeMs: (step + 1) * 200,
    segment: 0,
    ...fields,
  };
}
