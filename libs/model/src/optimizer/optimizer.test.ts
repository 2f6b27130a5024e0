import { describe, expect, it } from 'vitest';
import { learningRate } from './learning-rate.js';
import type { ScheduleConfig } from './learning-rate.js';
import { clipFactor, optimizerStep } from './optimizer-step.js';

const SCHEDULE: ScheduleConfig = {
  peakLr: 1e-3,
  minLr: 1e-4,
  warmupSteps: 20,
  schedule: 'cosine',
  steps: 200,
};
const OPTIMIZER = { ...SCHEDULE, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1, gradClip: 1 } as const;
const f32 = Math.fround;

describe('the learning rate', () => {
  it('rises by equal steps and never starts at 0', () => {
    expect(learningRate(0, SCHEDULE)).toBe(f32(1e-3 / 20));
    expect(learningRate(9, SCHEDULE)).toBe(f32(1e-3 / 2));
    expect(learningRate(19, SCHEDULE)).toBe(f32(1e-3));
  });

  it('is at its peak at step warmupSteps, and at its least where the budget ends', () => {
    for (const schedule of ['cosine', 'linear'] as const) {
      expect(learningRate(20, { ...SCHEDULE, schedule })).toBe(f32(1e-3));
      expect(learningRate(200, { ...SCHEDULE, schedule })).toBe(f32(1e-4));
      expect(learningRate(500, { ...SCHEDULE, schedule })).toBe(f32(1e-4));
    }
  });

  it('falls along half a cosine, a line, or not at all', () => {
    const cosine = (step: number): number =>
      1e-4 + 0.5 * (1 + Math.cos((Math.PI * (step - 20)) / 180)) * 9e-4;
    for (let step = 20; step <= 200; step++)
      expect(learningRate(step, SCHEDULE)).toBeCloseTo(cosine(step), 9);
    expect(learningRate(65, { ...SCHEDULE, schedule: 'linear' })).toBe(f32(1e-3 - (9e-4 * 45) / 180));
    expect(learningRate(150, { ...SCHEDULE, schedule: 'constant' })).toBe(f32(1e-3));
  });

  it('has no warm-up when there is none, and nothing else when it is as long as the run', () => {
    expect(learningRate(0, { ...SCHEDULE, warmupSteps: 0 })).toBe(f32(1e-3));
    expect(learningRate(199, { ...SCHEDULE, warmupSteps: 200 })).toBe(f32(1e-3));
    expect(learningRate(200, { ...SCHEDULE, warmupSteps: 200 })).toBe(f32(1e-4));
  });

  it('refuses a step that is not one', () => {
    expect(() => learningRate(-1, SCHEDULE)).toThrow('whole number');
    expect(() => learningRate(0.5, SCHEDULE)).toThrow('whole number');
  });
});

describe('the scalars of a step', () => {
  it('are f32 values of the formulas, with t = step + 1', () => {
    const scalars = optimizerStep(OPTIMIZER, { step: 2, steps: 200, gradNorm: 4 });
    const lr = learningRate(2, SCHEDULE);
    expect(scalars).toEqual({
      lr,
      beta1: f32(0.9),
      beta2: f32(0.95),
      oneMinusBeta1: f32(1 - 0.9),
      oneMinusBeta2: f32(1 - 0.95),
      eps: f32(1e-8),
      weightDecayFactor: f32(1 - lr * 0.1),
      stepSize: f32(lr / (1 - 0.9 ** 3)),
      inverseSqrtBiasCorrection2: f32(1 / Math.sqrt(1 - 0.95 ** 3)),
      clip: f32(1 / f32(4 + f32(1e-6))),
    });
  });

  it('forget the bias correction late in a run', () => {
    const late = optimizerStep(OPTIMIZER, { step: 100_000, steps: 499_679, gradNorm: 0 });
    expect(late.stepSize).toBe(late.lr);
    expect(late.inverseSqrtBiasCorrection2).toBe(1);
  });
});

describe('clipping', () => {
  it('leaves a small gradient as it is and scales a large one to gradClip', () => {
    expect(clipFactor(0, 1)).toBe(1);
    expect(clipFactor(0.5, 1)).toBe(1);
    expect(clipFactor(8, 2) * 8).toBeCloseTo(2, 5);
  });

  it('refuses a norm that is not finite: such a step is skipped', () => {
    expect(() => clipFactor(NaN, 1)).toThrow('finite');
    expect(() => clipFactor(Infinity, 1)).toThrow('finite');
  });
});
