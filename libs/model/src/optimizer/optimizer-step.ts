// The few numbers that one AdamW step needs beside its arrays, each a function of (configuration, step, norm) and
// rounded to f32 once. `adamwUpdate` of @cria/kernels says in which order they meet the elements; docs/numerics.md
// repeats it. TypeScript and C++ get these very numbers, so they cannot disagree about them.
import { assert } from '@cria/runtime';
import { wholePower } from '../arithmetic/elementary.js';
import { learningRate } from './learning-rate.js';
import type { OptimizerConfig } from './optimizer-config.js';

const f32 = Math.fround;

/** Keeps the clipping factor finite; the same constant as torch.nn.utils.clip_grad_norm_. */
const CLIP_EPSILON = f32(1e-6);

/** Scalars of one step, all f32. A superset of `AdamwScalars` of @cria/kernels. With t = step + 1: */
export interface OptimizerStep {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly oneMinusBeta1: number;
  readonly oneMinusBeta2: number;
  readonly eps: number;
  /** 1 - lr * weightDecay, for tensors that decay. */
  readonly weightDecayFactor: number;
  /** lr / (1 - beta1^t) */
  readonly stepSize: number;
  /** 1 / sqrt(1 - beta2^t) */
  readonly inverseSqrtBiasCorrection2: number;
  /** {@link clipFactor} of the step's gradient. */
  readonly clip: number;
}

/**
 * Everything that step `step` needs beside its arrays. A skipped step counts in t like any other.
 *
 * @param steps budget.steps
 * @param gradNorm global L2 norm of the step's mean gradient, f32, finite
 */
export function optimizerStep(
  config: OptimizerConfig,
  options: { step: number; steps: number; gradNorm: number },
): OptimizerStep {
  const { step, steps, gradNorm } = options;
  const [beta1, beta2] = config.betas;
  const lr = learningRate(step, { ...config, steps });
  const t = step + 1;
  return {
    lr,
    beta1: f32(beta1),
    beta2: f32(beta2),
    oneMinusBeta1: f32(1 - beta1),
    oneMinusBeta2: f32(1 - beta2),
    eps: f32(config.eps),
    weightDecayFactor: f32(1 - lr * config.weightDecay),
    stepSize: f32(lr / (1 - wholePower(beta1, t))),
    inverseSqrtBiasCorrection2: f32(1 / Math.sqrt(1 - wholePower(beta2, t))),
    clip: clipFactor(gradNorm, config.gradClip),
  };
}

/** min(1, gradClip / (gradNorm + 1e-6)): one f32 addition, one f32 division. */
export function clipFactor(gradNorm: number, gradClip: number): number {
  assert(
    gradNorm >= 0 && gradNorm < Infinity,
    `the gradient norm ${gradNorm} is finite: a step without one is skipped`,
  );
  return Math.min(1, f32(f32(gradClip) / f32(f32(gradNorm) + CLIP_EPSILON)));
}
