import { naturalLogarithm } from './elementary.js';

// P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution function" (2003):
// rational approximations, relative error below 1.15e-9. Single constants, not arrays: this runs once per parameter.
const CENTRAL_NUMERATOR_5 = -3.969683028665376e1;
const CENTRAL_NUMERATOR_4 = 2.209460984245205e2;
const CENTRAL_NUMERATOR_3 = -2.759285104469687e2;
const CENTRAL_NUMERATOR_2 = 1.38357751867269e2;
const CENTRAL_NUMERATOR_1 = -3.066479806614716e1;
const CENTRAL_NUMERATOR_0 = 2.506628277459239;
const CENTRAL_DENOMINATOR_5 = -5.447609879822406e1;
const CENTRAL_DENOMINATOR_4 = 1.615858368580409e2;
const CENTRAL_DENOMINATOR_3 = -1.556989798598866e2;
const CENTRAL_DENOMINATOR_2 = 6.680131188771972e1;
const CENTRAL_DENOMINATOR_1 = -1.328068155288572e1;
const TAIL_NUMERATOR_5 = -7.784894002430293e-3;
const TAIL_NUMERATOR_4 = -3.223964580411365e-1;
const TAIL_NUMERATOR_3 = -2.400758277161838;
const TAIL_NUMERATOR_2 = -2.549732539343734;
const TAIL_NUMERATOR_1 = 4.374664141464968;
const TAIL_NUMERATOR_0 = 2.938163982698783;
const TAIL_DENOMINATOR_4 = 7.784695709041462e-3;
const TAIL_DENOMINATOR_3 = 3.224671290700398e-1;
const TAIL_DENOMINATOR_2 = 2.445134137142996;
const TAIL_DENOMINATOR_1 = 3.754408661907416;
const TAIL = 0.02425;

/**
 * The number below which a standard normal variable falls with probability p.
 *
 * Arithmetic, sqrt and our own logarithm only: the same bits on every machine.
 *
 * @param p strictly between 0 and 1
 */
export function inverseNormal(p: number): number {
  if (p < TAIL) return tailQuantile(p);
  if (p > 1 - TAIL) return -tailQuantile(1 - p);
  const q = p - 0.5;
  const r = q * q;
  let numerator = CENTRAL_NUMERATOR_5;
  numerator = numerator * r + CENTRAL_NUMERATOR_4;
  numerator = numerator * r + CENTRAL_NUMERATOR_3;
  numerator = numerator * r + CENTRAL_NUMERATOR_2;
  numerator = numerator * r + CENTRAL_NUMERATOR_1;
  numerator = numerator * r + CENTRAL_NUMERATOR_0;
  let denominator = CENTRAL_DENOMINATOR_5;
  denominator = denominator * r + CENTRAL_DENOMINATOR_4;
  denominator = denominator * r + CENTRAL_DENOMINATOR_3;
  denominator = denominator * r + CENTRAL_DENOMINATOR_2;
  denominator = denominator * r + CENTRAL_DENOMINATOR_1;
  denominator = denominator * r + 1;
  return (numerator * q) / denominator;
}

/** For p below 0.02425: a negative number. */
function tailQuantile(p: number): number {
  const q = Math.sqrt(-2 * naturalLogarithm(p));
  let numerator = TAIL_NUMERATOR_5;
  numerator = numerator * q + TAIL_NUMERATOR_4;
  numerator = numerator * q + TAIL_NUMERATOR_3;
  numerator = numerator * q + TAIL_NUMERATOR_2;
  numerator = numerator * q + TAIL_NUMERATOR_1;
  numerator = numerator * q + TAIL_NUMERATOR_0;
  let denominator = TAIL_DENOMINATOR_4;
  denominator = denominator * q + TAIL_DENOMINATOR_3;
  denominator = denominator * q + TAIL_DENOMINATOR_2;
  denominator = denominator * q + TAIL_DENOMINATOR_1;
  denominator = denominator * q + 1;
  return numerator / denominator;
}
