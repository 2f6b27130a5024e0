// Exponentials and their like without libm, whose results change with the C library and the CPU.
#pragma once

#include "simd.h"

namespace cria::CRIA_ISA {

// exp(x) with a relative error of about 1.2e-7; x is clamped to [-87.3, 88], where the result is a normal number.
// NaN stays NaN. Reduction and polynomial as in Cephes' expf (Moshier), with fused multiply-adds.
inline F32x16 exponential(F32x16 x) {
  x = maximum(broadcast(-87.3f), x);  // in this order a NaN in x survives
  x = minimum(broadcast(88.0f), x);
  const F32x16 n = roundToInteger(x * broadcast(1.44269504088896341f));
  F32x16 r = subtractProduct(x, n, broadcast(0.693359375f));
  r = subtractProduct(r, n, broadcast(-2.12194440e-4f));
  F32x16 p = broadcast(1.9875691500e-4f);
  p = multiplyAdd(p, r, broadcast(1.3981999507e-3f));
  p = multiplyAdd(p, r, broadcast(8.3334519073e-3f));
  p = multiplyAdd(p, r, broadcast(4.1665795894e-2f));
  p = multiplyAdd(p, r, broadcast(1.6666665459e-1f));
  p = multiplyAdd(p, r, broadcast(5.0000001201e-1f));
  p = multiplyAdd(p * r, r, r + broadcast(1.0f));
  return scaleByPowerOfTwo(p, n);
}

// 1 / (1 + exp(-x)).
inline F32x16 sigmoid(F32x16 x) {
  const F32x16 one = broadcast(1.0f);
  return one / (one + exponential(zeros() - x));
}

}  // namespace cria::CRIA_ISA
