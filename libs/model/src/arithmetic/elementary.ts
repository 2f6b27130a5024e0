// Elementary functions from + - * / alone. The standard's Math.exp, log, cos and pow may differ between engines and
// versions in the last bit, and a last bit here would fork a run; IEEE 754 fixes these four operations (and sqrt).
// Polynomials are Taylor series, long enough that what is left out is below the last bit of a double.

/** 2 / pi, and pi / 2 as a sum of three doubles whose first two have 33 bits (fdlibm, e_rem_pio2.c). */
const TWO_OVER_PI = 6.36619772367581382433e-1;
const HALF_PI_1 = 1.57079632673412561417;
const HALF_PI_2 = 6.0771005063039659766e-11;
const HALF_PI_3 = 2.02226624879595063154e-21;

/** ln 2 as a sum of two doubles; the first has 32 trailing zero bits, so that small multiples are exact (fdlibm, e_exp.c). */
const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const LOG2_E = 1.442695040888963387;

/** Beyond this many quarter turns the first product of the range reduction is no longer exact. */
const MOST_QUARTER_TURNS = 2 ** 20;

/**
 * cos(x), |error| < 1e-15 for |x| up to 1.6 million.
 *
 * @throws RangeError beyond that
 */
export function cosine(x: number): number {
  return quarterTurns(x, 0);
}

/** sin(x), as {@link cosine}. */
export function sine(x: number): number {
  return quarterTurns(x, -1);
}

/** cos(x + shift * pi / 2): reduces x to [-pi/4, pi/4] and a number of quarter turns. */
function quarterTurns(x: number, shift: number): number {
  const turns = Math.round(x * TWO_OVER_PI);
  if (!(Math.abs(turns) <= MOST_QUARTER_TURNS)) throw new RangeError(`${x} is too large an angle`);
  const rest = x - turns * HALF_PI_1 - turns * HALF_PI_2 - turns * HALF_PI_3;
  switch ((turns + shift) & 3) {
    case 0:
      return cosineSeries(rest);
    case 1:
      return -sineSeries(rest);
    case 2:
      return -cosineSeries(rest);
    default:
      return sineSeries(rest);
  }
}

/** 1 - x^2/2! + x^4/4! - ... for |x| <= pi/4. */
function cosineSeries(x: number): number {
  const square = x * x;
  let sum = 1;
  for (let n = 18; n >= 2; n -= 2) sum = 1 - (sum * square) / (n * (n - 1));
  return sum;
}

/** x - x^3/3! + x^5/5! - ... for |x| <= pi/4. */
function sineSeries(x: number): number {
  const square = x * x;
  let sum = 1;
  for (let n = 19; n >= 3; n -= 2) sum = 1 - (sum * square) / (n * (n - 1));
  return x * sum;
}

/** 1/23, 1/21, ..., 1: the series of artanh. */
const ODD_RECIPROCALS = Float64Array.from({ length: 12 }, (_, index) => 1 / (23 - 2 * index));

/** ln(x) for normal x > 0, relative error below 1e-15 (absolute near x = 1). */
export function naturalLogarithm(x: number): number {
  if (!(x > 0) || x === Infinity) throw new RangeError(`${x} has no logarithm here`);
  let mantissa = x;
  let exponent = 0;
  for (; mantissa > Math.SQRT2; exponent++) mantissa /= 2;
  for (; mantissa < Math.SQRT1_2; exponent--) mantissa *= 2;
  // ln m = 2 artanh((m - 1) / (m + 1)), |argument| < 0.1716
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (const reciprocal of ODD_RECIPROCALS) sum = sum * square + reciprocal;
  return exponent * LN2_HIGH + (2 * s * sum + exponent * LN2_LOW);
}

/** e^x for |x| < 700, relative error below 1e-15. */
export function exponential(x: number): number {
  if (!(Math.abs(x) < 700)) throw new RangeError(`e^${x} is out of range here`);
  const exponent = Math.round(x * LOG2_E);
  const rest = x - exponent * LN2_HIGH - exponent * LN2_LOW;
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + (sum * rest) / n;
  return scaleByPowerOfTwo(sum, exponent);
}

/** base^exponent for base > 0 by way of the logarithm; relative error below 1e-14 while the logarithm is below 10. */
export function realPower(base: number, exponent: number): number {
  return exponential(exponent * naturalLogarithm(base));
}

/** base^exponent for a whole exponent >= 0, by repeated squaring from the lowest bit. */
export function wholePower(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** Multiplications by 2 and 1/2 are exact within the range of doubles. */
function scaleByPowerOfTwo(x: number, exponent: number): number {
  let scaled = x;
  for (let n = exponent; n > 0; n--) scaled *= 2;
  for (let n = exponent; n < 0; n++) scaled /= 2;
  return scaled;
}
