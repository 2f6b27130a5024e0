/** How parameters are updated. Field names are those of the run configuration's `optimizer:` section. */
export interface OptimizerConfig {
  readonly peakLr: number;
  readonly minLr: number;
  /** Steps of linear warm-up; step warmupSteps is the first at peakLr. */
  readonly warmupSteps: number;
  readonly schedule: 'cosine' | 'linear' | 'constant';
  readonly betas: readonly [beta1: number, beta2: number];
  readonly eps: number;
  readonly weightDecay: number;
  /** Largest global L2 norm of the gradient that is used as it is. */
  readonly gradClip: number;
}
