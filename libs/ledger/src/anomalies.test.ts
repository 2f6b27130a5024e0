import { describe, expect, it } from 'vitest';
import { LOSS_WINDOW, lossWindow, skipsRunning, verdictOf, type VerdictInput } from './anomalies.js';
import { sampleLedger } from './sample-ledger.js';

const rules = { nonFinite: 'skip', lossSpikeSigmas: 6, onSpike: 'skip' } as const;
const calm: VerdictInput = {
  step: 500,
  loss: 3,
  gradNorm: 1,
  flagged: [],
  rules,
  // mean 3, standard deviation 0.5
  window: Array.from({ length: LOSS_WINDOW }, (_, i) => (i % 2 === 0 ? 2.5 : 3.5)),
  skipsRunning: 0,
};

describe('the loss window', () => {
  it('holds the losses of the last steps not skipped, oldest first', () => {
    const entries = sampleLedger({
      count: 300,
      math: (math) => ({ ...math, loss: math.step, verdict: math.step % 3 === 0 ? 'skip' : 'use' }),
    });
    const window = lossWindow(entries);
    expect(window).toHaveLength(128);
    expect(window.at(-1)).toBe(299);
    expect(window[0]).toBe(109);
    expect(window.every((loss) => loss % 3 !== 0)).toBe(true);
  });

  it('is shorter while the ledger is', () => {
    expect(lossWindow(sampleLedger({ count: 5 }), 128)).toHaveLength(5);
    expect(lossWindow([])).toEqual([]);
  });
});

describe('the verdict', () => {
  it('uses a calm step', () => {
    expect(verdictOf(calm)).toEqual({ verdict: 'use', reason: null });
  });

  it('calls a spike only what lies above mean + 6 deviations', () => {
    expect(verdictOf({ ...calm, loss: 6 }).verdict).toBe('use');
    expect(verdictOf({ ...calm, loss: 6 + 1e-12 }).verdict).toBe('skip');
    expect(verdictOf({ ...calm, loss: -100 }).verdict).toBe('use');
    expect(verdictOf({ ...calm, loss: 7, rules: { ...rules, onSpike: 'stop' } }).verdict).toBe('stop');
  });

  it('judges spikes from step 128 on', () => {
    expect(verdictOf({ ...calm, loss: 7, step: 127 }).verdict).toBe('use');
    expect(verdictOf({ ...calm, loss: 7, step: 128 }).verdict).toBe('skip');
  });

  it('judges numbers that are not finite from the first step on', () => {
    for (const bad of [{ flagged: [3] }, { loss: NaN }, { loss: Infinity }, { gradNorm: NaN }]) {
      expect(verdictOf({ ...calm, step: 0, window: [], ...bad }).verdict).toBe('skip');
      expect(verdictOf({ ...calm, ...bad, rules: { ...rules, nonFinite: 'stop' } }).verdict).toBe('stop');
    }
    expect(verdictOf({ ...calm, flagged: [1, 3] }).reason).toContain('1, 3');
  });

  it('stops at the tenth skip running', () => {
    expect(verdictOf({ ...calm, loss: NaN, skipsRunning: 8 }).verdict).toBe('skip');
    expect(verdictOf({ ...calm, loss: NaN, skipsRunning: 9 }).verdict).toBe('stop');
    expect(verdictOf({ ...calm, skipsRunning: 9 }).verdict).toBe('use');
  });

  it('counts the skips at the end of the ledger', () => {
    const skipAt = new Set([1, 5, 6, 7]);
    const entries = sampleLedger({
      count: 8,
      math: (math) => ({ ...math, verdict: skipAt.has(math.step) ? 'skip' : 'use' }),
    });
    expect(skipsRunning(entries)).toBe(3);
    expect(skipsRunning(entries.slice(0, 5))).toBe(0);
    expect(skipsRunning(entries.slice(0, 2))).toBe(1);
  });
});
