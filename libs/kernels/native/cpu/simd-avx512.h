// F32x16 as one AVX-512 register. With AVX512_BF16 conversions and pair products are instructions.
#pragma once

#include <immintrin.h>

namespace cria::CRIA_ISA {

struct F32x16 {
  __m512 v;
};

inline F32x16 zeros() { return {_mm512_setzero_ps()}; }
inline F32x16 broadcast(float x) { return {_mm512_set1_ps(x)}; }

inline __mmask16 firstLanes(int lanes) { return static_cast<__mmask16>((1u << lanes) - 1u); }

inline F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline F32x16 loadPartial(const float* p, int lanes) { return {_mm512_maskz_loadu_ps(firstLanes(lanes), p)}; }
inline void store(float* p, F32x16 x) { _mm512_storeu_ps(p, x.v); }
inline void storePartial(float* p, F32x16 x, int lanes) { _mm512_mask_storeu_ps(p, firstLanes(lanes), x.v); }

inline F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 squareRoot(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }

// a * b + c, rounded once.
inline F32x16 multiplyAdd(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// c - a * b, rounded once.
inline F32x16 subtractProduct(F32x16 c, F32x16 a, F32x16 b) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }

// a > b ? a : b, lane by lane: b where one of them is NaN.
inline F32x16 maximum(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 minimum(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }

inline F32x16 roundToInteger(F32x16 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// x * 2^n for an integer-valued n that keeps the exponent in range.
inline F32x16 scaleByPowerOfTwo(F32x16 x, F32x16 n) {
  const __m512i shift = _mm512_slli_epi32(_mm512_cvtps_epi32(n.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.v), shift))};
}

// Lanes from `lanes` on become zero.
inline F32x16 keepFirst(F32x16 a, int lanes) { return {_mm512_maskz_mov_ps(firstLanes(lanes), a.v)}; }
// Lanes from `lanes` on become `other`.
inline F32x16 keepFirstOr(F32x16 a, int lanes, F32x16 other) {
  return {_mm512_mask_mov_ps(other.v, firstLanes(lanes), a.v)};
}

// Lane i + lane i+8, then +4, +2, +1.
inline float sumLanes(F32x16 a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float maxLane(F32x16 a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline F32x16 widen(__m256i bits) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))}; }

inline F32x16 load(const Bf16* p) { return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline F32x16 loadPartial(const Bf16* p, int lanes) { return widen(_mm256_maskz_loadu_epi16(firstLanes(lanes), p)); }

// Nearest even, denormals to signed zero, NaN made quiet.
inline __m256i narrow(F32x16 x) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x.v));
#else
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
  const __m512i upper = _mm512_srli_epi32(bits, 16);
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  const __mmask16 tiny = _mm512_cmplt_epu32_mask(magnitude, _mm512_set1_epi32(0x00800000));
  const __mmask16 nan = _mm512_cmpgt_epu32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
  rounded = _mm512_mask_and_epi32(rounded, tiny, upper, _mm512_set1_epi32(0x8000));
  rounded = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
  return _mm512_cvtepi32_epi16(rounded);
#endif
}
inline void store(Bf16* p, F32x16 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(x)); }
inline void storePartial(Bf16* p, F32x16 x, int lanes) { _mm256_mask_storeu_epi16(p, firstLanes(lanes), narrow(x)); }

// Hints that a line will be written, or read, soon.
inline void prefetchForWrite(const void* p) { __builtin_prefetch(p, 1, 3); }
inline void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }

}  // namespace cria::CRIA_ISA
