import { assert } from '@cria/runtime';
import { cosine } from '../arithmetic/elementary.js';
import type { OptimizerConfig } from './optimizer-config.js';

/** The schedule's part of the optimizer's configuration, with the run's number of steps. */
export type ScheduleConfig = Pick<OptimizerConfig, 'peakLr' | 'minLr' | 'warmupSteps' | 'schedule'> & {
  /** budget.steps: where the schedule ends, whether or not a run stops early. */
  readonly steps: number;
};

/**
 * Learning rate of a step, by + - * / alone in f64 and rounded to f32 once:
 * peakLr * (step + 1) / warmupSteps while step < warmupSteps, then from peakLr at step = warmupSteps to minLr at
 * step = steps along half a cosine or a line, or peakLr throughout.
 *
 * @param step counts from 0
 */
export function learningRate(step: number, config: ScheduleConfig): number {
  assert(Number.isSafeInteger(step) && step >= 0, `step ${step} is a whole number from 0 on`);
  return Math.fround(unroundedLearningRate(step, config));
}

function unroundedLearningRate(step: number, config: ScheduleConfig): number {
  const { peakLr, minLr, warmupSteps, schedule, steps } = config;
  if (step < warmupSteps) return (peakLr * (step + 1)) / warmupSteps;
  const progress = step >= steps ? 1 : (step - warmupSteps) / (steps - warmupSteps);
  switch (schedule) {
    case 'constant':
      return peakLr;
    case 'linear':
      return minLr + (1 - progress) * (peakLr - minLr);
    case 'cosine':
      return minLr + 0.5 * (1 + cosine(Math.PI * progress)) * (peakLr - minLr);
  }
}
