// F32x16 as two AVX2 registers, with FMA3.
#pragma once

#include <immintrin.h>

namespace cria::CRIA_ISA {

struct F32x16 {
  __m256 lo, hi;
};

inline F32x16 zeros() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F32x16 broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }

inline F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, F32x16 x) {
  _mm256_storeu_ps(p, x.lo);
  _mm256_storeu_ps(p + 8, x.hi);
}
inline F32x16 loadPartial(const float* p, int lanes) {
  alignas(32) float copy[kLanes] = {};
  for (int i = 0; i < lanes; ++i) copy[i] = p[i];
  return load(copy);
}
inline void storePartial(float* p, F32x16 x, int lanes) {
  alignas(32) float copy[kLanes];
  store(copy, x);
  for (int i = 0; i < lanes; ++i) p[i] = copy[i];
}

inline F32x16 operator+(F32x16 a, F32x16 b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
inline F32x16 operator-(F32x16 a, F32x16 b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
inline F32x16 operator*(F32x16 a, F32x16 b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
inline F32x16 operator/(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
inline F32x16 squareRoot(F32x16 a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }

// a * b + c, rounded once.
inline F32x16 multiplyAdd(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
// c - a * b, rounded once.
inline F32x16 subtractProduct(F32x16 c, F32x16 a, F32x16 b) {
  return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
}

// a > b ? a : b, lane by lane: b where one of them is NaN.
inline F32x16 maximum(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
inline F32x16 minimum(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }

inline F32x16 roundToInteger(F32x16 a) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kNearest), _mm256_round_ps(a.hi, kNearest)};
}
inline __m256 scaleHalf(__m256 x, __m256 n) {
  const __m256i shift = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), shift));
}
// x * 2^n for an integer-valued n that keeps the exponent in range.
inline F32x16 scaleByPowerOfTwo(F32x16 x, F32x16 n) { return {scaleHalf(x.lo, n.lo), scaleHalf(x.hi, n.hi)}; }

inline __m256 firstLanes(int lanes) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), index));
}
// Lanes from `lanes` on become zero.
inline F32x16 keepFirst(F32x16 a, int lanes) {
  return {_mm256_and_ps(a.lo, firstLanes(lanes)), _mm256_and_ps(a.hi, firstLanes(lanes - 8))};
}
// Lanes from `lanes` on become `other`.
inline F32x16 keepFirstOr(F32x16 a, int lanes, F32x16 other) {
  return {_mm256_blendv_ps(other.lo, a.lo, firstLanes(lanes)), _mm256_blendv_ps(other.hi, a.hi, firstLanes(lanes - 8))};
}

// Lane i + lane i+8, then +4, +2, +1.
inline float sumLanes(F32x16 a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float maxLane(F32x16 a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline __m256 widenHalf(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline F32x16 load(const Bf16* p) {
  const __m128i* halves = reinterpret_cast<const __m128i*>(p);
  return {widenHalf(_mm_loadu_si128(halves)), widenHalf(_mm_loadu_si128(halves + 1))};
}
inline F32x16 loadPartial(const Bf16* p, int lanes) {
  Bf16 copy[kLanes] = {};
  for (int i = 0; i < lanes; ++i) copy[i] = p[i];
  return load(copy);
}

// Nearest even, denormals to signed zero, NaN made quiet; as 32-bit integers below 2^16.
inline __m256i narrowHalf(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i upper = _mm256_srli_epi32(bits, 16);
  const __m256i bias = _mm256_add_epi32(_mm256_and_si256(upper, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7fff));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
  const __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
  const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
  const __m256i sign = _mm256_and_si256(upper, _mm256_set1_epi32(0x8000));
  const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  return _mm256_blendv_epi8(_mm256_blendv_epi8(rounded, sign, tiny), quiet, nan);
}
inline void store(Bf16* p, F32x16 x) {
  const __m256i mixed = _mm256_packus_epi32(narrowHalf(x.lo), narrowHalf(x.hi));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(mixed, 0xd8));
}
inline void storePartial(Bf16* p, F32x16 x, int lanes) {
  Bf16 copy[kLanes];
  store(copy, x);
  for (int i = 0; i < lanes; ++i) p[i] = copy[i];
}

// Hints that a line will be written, or read, soon.
inline void prefetchForWrite(const void* p) { __builtin_prefetch(p, 1, 3); }
inline void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }

}  // namespace cria::CRIA_ISA
