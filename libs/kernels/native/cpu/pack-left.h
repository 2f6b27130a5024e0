// Packing the left operand of a weight gradient, where k is not contiguous: eight groups of 6 rows at a time, because
// 48 columns of two source rows are three full registers, and a group's 6 words are a window into two of them.
#pragma once

#include "pack.h"

namespace cria::CRIA_ISA {

constexpr int kLeftGroups = 8;
constexpr int kLeftColumns = kLeftGroups * kRows;

#if defined(__AVX512F__)
// 48 words of one step.
struct Words48 {
  __m512i low, middle, high;
};

inline Words48 loadStep(const float* rows, int64_t stride, int64_t step) {
  const float* row = rows + step * stride;
  return {_mm512_loadu_si512(row), _mm512_loadu_si512(row + 16), _mm512_loadu_si512(row + 32)};
}

#if defined(__AVX512BF16__)
inline __m512i loadHalf(const Bf16* p) {
  return _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline Words48 loadStep(const Bf16* rows, int64_t stride, int64_t step) {
  const Bf16* even = rows + 2 * step * stride;
  const Bf16* odd = even + stride;
  const __m512i x = _mm512_loadu_si512(even);
  const __m512i y = _mm512_loadu_si512(odd);
  return {interleaveLow(x, y), interleaveHigh(x, y), interleaveLow(loadHalf(even + 32), loadHalf(odd + 32))};
}
#endif

// Writes 6 words, or 8 where the last two belong to the next step, which writes them later.
inline void storeGroup(uint32_t* out, __m512i words, bool last) {
  if (last) {
    _mm512_mask_storeu_epi32(out, 0x3f, words);
  } else {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_castsi512_si256(words));
  }
}

// Group g of a step is the window of 6 words from word 6 g on.
inline void storeGroups(uint32_t* out, int64_t stride, const Words48& w, bool last) {
  storeGroup(out, w.low, last);
  storeGroup(out + stride, _mm512_alignr_epi32(w.middle, w.low, 6), last);
  storeGroup(out + 2 * stride, _mm512_alignr_epi32(w.middle, w.low, 12), last);
  storeGroup(out + 3 * stride, _mm512_alignr_epi32(w.high, w.middle, 2), last);
  storeGroup(out + 4 * stride, _mm512_alignr_epi32(w.high, w.middle, 8), last);
  storeGroup(out + 5 * stride, _mm512_alignr_epi32(w.high, w.middle, 14), last);
  storeGroup(out + 6 * stride, _mm512_alignr_epi32(w.high, w.high, 4), last);
  storeGroup(out + 7 * stride, _mm512_alignr_epi32(w.high, w.high, 10), last);
}

template <class T>
inline void packEightGroups(uint32_t* out, int64_t groupStride, const T* rows, int64_t stride, int64_t steps) {
  constexpr int kAheadRows = 16;  // hides the latency of L2
  constexpr int kRowsPerStep = sizeof(T) == 2 ? 2 : 1;
  constexpr int kLine = 64 / sizeof(T);
  for (int64_t step = 0; step < steps; ++step) {
    for (int row = 0; row < kRowsPerStep; ++row) {
      const T* ahead = rows + (kRowsPerStep * step + row + kAheadRows) * stride;
      for (int column = 0; column < kLeftColumns; column += kLine) prefetch(ahead + column);
    }
    storeGroups(out + step * kRows, groupStride, loadStep(rows, stride, step), step + 1 == steps);
  }
}
#elif defined(__AVX2__)
// 6 words, moved as 8 where the last two belong to the next step, which writes them later.
inline void moveGroup(uint32_t* out, const float* columns, bool last) {
  if (last) {
    __builtin_memcpy(out, columns, kRows * sizeof *out);
  } else {
    _mm256_storeu_ps(reinterpret_cast<float*>(out), _mm256_loadu_ps(columns));
  }
}

inline void packEightGroups(uint32_t* out, int64_t groupStride, const float* rows, int64_t stride, int64_t steps) {
  constexpr int kAheadRows = 16;  // hides the latency of L2
  for (int64_t step = 0; step < steps; ++step) {
    const float* row = rows + step * stride;
    for (int column = 0; column < kLeftColumns; column += 16) prefetch(row + kAheadRows * stride + column);
    uint32_t* to = out + step * kRows;
    const bool last = step + 1 == steps;
    for (int g = 0; g + 1 < kLeftGroups; ++g) moveGroup(to + g * groupStride, row + g * kRows, last);
    moveGroup(to + (kLeftGroups - 1) * groupStride, row + (kLeftGroups - 1) * kRows, true);  // the row may end there
  }
}
#endif

// Packs eight groups when all is regular and says so; otherwise does nothing.
template <class T>
inline bool packEight(uint32_t* out, int64_t groupStride, const Operand<T>& m, int64_t first, int64_t count,
                      int64_t from, int64_t to, int64_t kCount) {
#if defined(__AVX512F__) || defined(__AVX2__)
  if constexpr (Steps<T>::kInPlace) {
    if (m.kIsContiguous || count < kLeftColumns || to > Steps<T>::unpadded(kCount)) return false;
    packEightGroups(out, groupStride, m.at(first, Steps<T>::firstK(from)), m.stride, to - from);
    return true;
  }
#endif
  return false;
}

// Steps [from, to) of up to eight groups that begin at row `first`. Groups lie `groupStride` words apart; `out` is
// where step `from` of the first one goes.
template <class T>
void packLeft(uint32_t* out, int64_t groupStride, const Operand<T>& m, int64_t first, int64_t count, int64_t from,
              int64_t to, int64_t kCount) {
  if (packEight(out, groupStride, m, first, count, from, to, kCount)) return;
  constexpr int64_t kRun = 32;  // a cache line of source columns is used by several groups before it is evicted
  for (int64_t begin = from; begin < to; begin += kRun) {
    const int64_t end = smaller(begin + kRun, to);
    for (int64_t g = 0; g < kLeftGroups && g * kRows < count; ++g) {
      packGroup<T, kRows>(out + g * groupStride + (begin - from) * kRows, m, first + g * kRows, count - g * kRows, begin,
                          end, kCount);
    }
  }
}

}  // namespace cria::CRIA_ISA
