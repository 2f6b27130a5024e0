// F32x16 as an array, for any compiler. Slow where the CPU has no fused multiply-add, and still the same bits: fmaf is
// exact by the C standard (the one function of libm that may be used).
#pragma once

#include <math.h>
#include <string.h>

namespace cria::CRIA_ISA {

struct F32x16 {
  float lane[kLanes];
};

template <class Function>
inline F32x16 eachLane(Function function) {
  F32x16 out;
  for (int i = 0; i < kLanes; ++i) out.lane[i] = function(i);
  return out;
}

inline uint32_t bitsOf(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float floatOf(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

inline F32x16 broadcast(float x) {
  return eachLane([=](int) { return x; });
}
inline F32x16 zeros() { return broadcast(0.0f); }

inline F32x16 load(const float* p) {
  return eachLane([=](int i) { return p[i]; });
}
inline F32x16 loadPartial(const float* p, int lanes) {
  return eachLane([=](int i) { return i < lanes ? p[i] : 0.0f; });
}
inline void storePartial(float* p, F32x16 x, int lanes) {
  for (int i = 0; i < lanes; ++i) p[i] = x.lane[i];
}
inline void store(float* p, F32x16 x) { storePartial(p, x, kLanes); }

inline F32x16 operator+(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline F32x16 operator-(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline F32x16 operator*(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline F32x16 operator/(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline F32x16 squareRoot(F32x16 a) {
  return eachLane([&](int i) { return __builtin_sqrtf(a.lane[i]); });
}

// a * b + c, rounded once.
inline F32x16 multiplyAdd(F32x16 a, F32x16 b, F32x16 c) {
  return eachLane([&](int i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
}
// c - a * b, rounded once.
inline F32x16 subtractProduct(F32x16 c, F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return __builtin_fmaf(-a.lane[i], b.lane[i], c.lane[i]); });
}

// a > b ? a : b, lane by lane: b where one of them is NaN.
inline F32x16 maximum(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F32x16 minimum(F32x16 a, F32x16 b) {
  return eachLane([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}

// By the magic number 1.5 * 2^23, for |a| < 2^22.
inline F32x16 roundToInteger(F32x16 a) {
  constexpr float kMagic = 12582912.0f;
  return (a + broadcast(kMagic)) - broadcast(kMagic);
}
// x * 2^n for an integer-valued n that keeps the exponent in range; a NaN in n leaves x alone.
inline F32x16 scaleByPowerOfTwo(F32x16 x, F32x16 n) {
  return eachLane([&](int i) {
    const bool isNumber = n.lane[i] == n.lane[i];
    const uint32_t shift = isNumber ? static_cast<uint32_t>(static_cast<int32_t>(n.lane[i])) << 23 : 0;
    return floatOf(bitsOf(x.lane[i]) + shift);
  });
}

// Lanes from `lanes` on become zero.
inline F32x16 keepFirst(F32x16 a, int lanes) {
  return eachLane([&](int i) { return i < lanes ? a.lane[i] : 0.0f; });
}
// Lanes from `lanes` on become `other`.
inline F32x16 keepFirstOr(F32x16 a, int lanes, F32x16 other) {
  return eachLane([&](int i) { return i < lanes ? a.lane[i] : other.lane[i]; });
}

// Lane i + lane i+8, then +4, +2, +1.
inline float sumLanes(F32x16 a) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.lane[i] += a.lane[i + half];
  }
  return a.lane[0];
}
inline float maxLane(F32x16 a) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
  }
  return a.lane[0];
}

inline F32x16 loadPartial(const Bf16* p, int lanes) {
  return eachLane([=](int i) { return i < lanes ? floatOf(uint32_t{p[i].bits} << 16) : 0.0f; });
}
inline F32x16 load(const Bf16* p) { return loadPartial(p, kLanes); }

// Nearest even, denormals to signed zero, NaN made quiet.
inline Bf16 narrow(float x) {
  const uint32_t bits = bitsOf(x);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return {static_cast<uint16_t>((bits >> 16) | 0x40)};
  if (magnitude < 0x00800000) return {static_cast<uint16_t>((bits >> 16) & 0x8000)};
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}
inline void storePartial(Bf16* p, F32x16 x, int lanes) {
  for (int i = 0; i < lanes; ++i) p[i] = narrow(x.lane[i]);
}
inline void store(Bf16* p, F32x16 x) { storePartial(p, x, kLanes); }

inline void prefetchForWrite(const void*) {}
inline void prefetch(const void*) {}

}  // namespace cria::CRIA_ISA
