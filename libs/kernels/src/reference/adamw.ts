// AdamW as in Loshchilov & Hutter (decoupled decay) and torch.optim.AdamW, one rounding per operation:
//   g = grad * clip
//   m = beta1 * m + oneMinusBeta1 * g
//   v = beta2 * v + (oneMinusBeta2 * g) * g
//   p = p * weightDecayFactor                      (where decay applies)
//   d = sqrt(v) * inverseSqrtBiasCorrection2 + eps
//   p = p - stepSize * (m / d)
// Every *, +, -, / and sqrt is rounded to f32 by itself; products are formed before the sum of their line.
import type { AdamwScalars, OptimizerState } from '../kernels.js';

const f32 = Math.fround;

/** `Kernels.adamwUpdate`. */
export function adamwUpdate(
  state: OptimizerState,
  gradient: Float32Array,
  from: number,
  to: number,
  decay: boolean,
  scalars: AdamwScalars,
): void {
  const { params, expAvg, expAvgSq } = state;
  const { beta1, beta2, oneMinusBeta1, oneMinusBeta2, eps } = scalars;
  const { stepSize, inverseSqrtBiasCorrection2, clip } = scalars;
  const factor = decay ? scalars.weightDecayFactor : 1; // times 1 changes no bit
  for (let i = from; i < to; i++) {
    const g = f32(gradient[i - from] * clip);
    const m = f32(f32(beta1 * expAvg[i]) + f32(oneMinusBeta1 * g));
    const v = f32(f32(beta2 * expAvgSq[i]) + f32(f32(oneMinusBeta2 * g) * g));
    const d = f32(f32(f32(Math.sqrt(v)) * inverseSqrtBiasCorrection2) + eps);
    const p = f32(params[i] * factor);
    expAvg[i] = m;
    expAvgSq[i] = v;
    params[i] = f32(p - f32(stepSize * f32(m / d)));
  }
}
