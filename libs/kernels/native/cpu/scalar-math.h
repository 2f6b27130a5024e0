// The logarithm, for the few places that need one value at a time: in double precision, only + - * / in a fixed order,
// so the bits are the same everywhere.
#pragma once

#include "simd.h"

namespace cria::CRIA_ISA {

inline uint64_t bitsOfDouble(double x) {
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline double doubleOfBits(uint64_t bits) {
  double x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// Natural logarithm of a normal positive number, good to about 1e-16; NaN and infinity come back as they are.
inline double naturalLogarithm(double x) {
  if (!(x < __builtin_inf())) return x;
  uint64_t bits = bitsOfDouble(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double mantissa = doubleOfBits((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent += 1;
  }
  // log(m) = 2 atanh(f) with f = (m - 1) / (m + 1), |f| < 0.172.
  const double f = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = f * f;
  double series = 0.0;
  for (int n = 25; n >= 1; n -= 2) series = series * square + 1.0 / n;
  return static_cast<double>(exponent) * 0.6931471805599453 + 2.0 * f * series;
}

}  // namespace cria::CRIA_ISA
