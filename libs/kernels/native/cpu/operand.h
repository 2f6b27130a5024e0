// What a matrix product reads, cut into 32-bit words: a step of the chain.
//
//   f32                       one step per k: the number itself
//   bf16 with AVX512_BF16     one step per pair: two bf16 numbers, the lower k in the lower half
//   bf16 without              two steps per pair: the numbers widened to f32, the odd k first. That is the order in
//                             which `vdpbf16ps` adds, so the chains are the same to the last bit.
//
// An odd number of k's is padded with a zero, which is part of the chain.
#pragma once

#include "simd.h"

namespace cria::CRIA_ISA {

#if defined(__AVX512BF16__)
constexpr bool kPairsAreNative = true;
#else
constexpr bool kPairsAreNative = false;
#endif

// A matrix as the product sees it: element (i, k), i counting rows of C (left) or its columns (right).
template <class T>
struct Operand {
  const T* data;
  int64_t stride;
  // Whether k is the contiguous index: element (i, k) at i * stride + k; otherwise at k * stride + i.
  bool kIsContiguous;

  const T* at(int64_t i, int64_t k) const { return kIsContiguous ? data + i * stride + k : data + k * stride + i; }
};

inline uint32_t wordOf(const float* p) {
  uint32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}
inline uint32_t widenedWord(Bf16 x) { return uint32_t{x.bits} << 16; }
inline uint32_t pairWord(Bf16 low, Bf16 high) { return uint32_t{low.bits} | uint32_t{high.bits} << 16; }

// How many k's of T one step holds, and how the words come about.
template <class T>
struct Steps;

template <>
struct Steps<float> {
  static constexpr bool kPairs = false;
  static constexpr bool kInPlace = true;
  static int64_t count(int64_t k) { return k; }
  // Steps that hold no padding.
  static int64_t unpadded(int64_t k) { return k; }
  static int64_t firstK(int64_t step) { return step; }
  static uint32_t word(const Operand<float>& m, int64_t i, int64_t step, int64_t) { return wordOf(m.at(i, step)); }
};

template <>
struct Steps<Bf16> {
  static constexpr bool kPairs = kPairsAreNative;
  // Whether rows with contiguous k can be read as steps where they lie.
  static constexpr bool kInPlace = kPairsAreNative;
  static int64_t count(int64_t k) { return kPairsAreNative ? (k + 1) / 2 : (k + 1) / 2 * 2; }
  static int64_t unpadded(int64_t k) { return kPairsAreNative ? k / 2 : k / 2 * 2; }
  static int64_t firstK(int64_t step) { return kPairsAreNative ? 2 * step : step / 2 * 2; }

  static uint32_t word(const Operand<Bf16>& m, int64_t i, int64_t step, int64_t kCount) {
    const int64_t k = firstK(step);
    const Bf16 odd = k + 1 < kCount ? *m.at(i, k + 1) : Bf16{0};
    if (kPairsAreNative) return pairWord(*m.at(i, k), odd);
    return widenedWord(step % 2 == 0 ? odd : *m.at(i, k));
  }
};

}  // namespace cria::CRIA_ISA
