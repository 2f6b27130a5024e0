// Packing: from a matrix to groups of `kWidth` rows (left) or columns (right), laid out [group][step][kWidth] words,
// which is the order in which the micro-kernel reads them. Missing rows or columns of the last group are zero.
#pragma once

#include "micro-kernel.h"

namespace cria::CRIA_ISA {

// One group, steps [from, to): the plain definition, and the path for edges.
template <class T, int kWidth>
void packGroupSlowly(uint32_t* out, const Operand<T>& m, int64_t first, int64_t count, int64_t from, int64_t to,
                     int64_t kCount) {
  for (int64_t step = from; step < to; ++step, out += kWidth) {
    for (int i = 0; i < kWidth; ++i) out[i] = i < count ? Steps<T>::word(m, first + i, step, kCount) : 0;
  }
}

// k contiguous: rows become columns of the group.
template <int kWidth>
inline void packAcross(uint32_t* out, const uint32_t* rows, int64_t rowStride, int64_t steps) {
  for (int64_t step = 0; step < steps; ++step) {
    for (int i = 0; i < kWidth; ++i) {
      uint32_t word;
      __builtin_memcpy(&word, reinterpret_cast<const char*>(rows) + 4 * step + i * rowStride, sizeof word);
      out[step * kWidth + i] = word;
    }
  }
}

#if defined(__AVX512F__)
// 16 rows of 16 words transposed: row i at source + i * rowStride bytes; column j to out + j * outStride words.
inline void transpose16(uint32_t* out, int64_t outStride, const char* source, int64_t rowStride) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(source + i * rowStride);
  for (int i = 0; i < 8; ++i) {
    b[2 * i] = _mm512_unpacklo_epi32(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm512_unpackhi_epi32(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {  // a[4 i + j]: columns j, j+4, j+8, j+12 of rows 4 i .. 4 i + 3
    a[4 * i] = _mm512_unpacklo_epi64(b[4 * i], b[4 * i + 2]);
    a[4 * i + 1] = _mm512_unpackhi_epi64(b[4 * i], b[4 * i + 2]);
    a[4 * i + 2] = _mm512_unpacklo_epi64(b[4 * i + 1], b[4 * i + 3]);
    a[4 * i + 3] = _mm512_unpackhi_epi64(b[4 * i + 1], b[4 * i + 3]);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512i evenTop = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88);
    const __m512i oddTop = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd);
    const __m512i evenBottom = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
    const __m512i oddBottom = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
    _mm512_storeu_si512(out + j * outStride, _mm512_shuffle_i32x4(evenTop, evenBottom, 0x88));
    _mm512_storeu_si512(out + (4 + j) * outStride, _mm512_shuffle_i32x4(oddTop, oddBottom, 0x88));
    _mm512_storeu_si512(out + (8 + j) * outStride, _mm512_shuffle_i32x4(evenTop, evenBottom, 0xdd));
    _mm512_storeu_si512(out + (12 + j) * outStride, _mm512_shuffle_i32x4(oddTop, oddBottom, 0xdd));
  }
}

template <>
inline void packAcross<kPanel>(uint32_t* out, const uint32_t* rows, int64_t rowStride, int64_t steps) {
  const char* source = reinterpret_cast<const char*>(rows);
  int64_t step = 0;
  for (; step + 16 <= steps; step += 16) {
    for (int i = 0; i < kPanel; i += 16) {
      transpose16(out + step * kPanel + i, kPanel, source + i * rowStride + 4 * step, rowStride);
    }
  }
  for (; step < steps; ++step) {
    for (int i = 0; i < kPanel; ++i) {
      __builtin_memcpy(out + step * kPanel + i, source + i * rowStride + 4 * step, sizeof *out);
    }
  }
}
#elif defined(__AVX2__)
// 8 rows of 8 words transposed: row i at source + i * rowStride bytes; column j to out + j * outStride words.
inline void transpose8(uint32_t* out, int64_t outStride, const char* source, int64_t rowStride) {
  __m256 a[8], b[8];
  for (int i = 0; i < 8; ++i) a[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(source + i * rowStride));
  for (int i = 0; i < 4; ++i) {
    b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {  // a[4 i + j]: columns j and j + 4 of rows 4 i .. 4 i + 3
    a[4 * i] = _mm256_shuffle_ps(b[4 * i], b[4 * i + 2], 0x44);
    a[4 * i + 1] = _mm256_shuffle_ps(b[4 * i], b[4 * i + 2], 0xee);
    a[4 * i + 2] = _mm256_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0x44);
    a[4 * i + 3] = _mm256_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0xee);
  }
  float* to = reinterpret_cast<float*>(out);
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(to + j * outStride, _mm256_permute2f128_ps(a[j], a[4 + j], 0x20));
    _mm256_storeu_ps(to + (4 + j) * outStride, _mm256_permute2f128_ps(a[j], a[4 + j], 0x31));
  }
}

template <>
inline void packAcross<kPanel>(uint32_t* out, const uint32_t* rows, int64_t rowStride, int64_t steps) {
  const char* source = reinterpret_cast<const char*>(rows);
  int64_t step = 0;
  for (; step + 8 <= steps; step += 8) {
    transpose8(out + step * kPanel, kPanel, source + 4 * step, rowStride);
    transpose8(out + step * kPanel + 8, kPanel, source + 8 * rowStride + 4 * step, rowStride);
  }
  for (; step < steps; ++step) {
    for (int i = 0; i < kPanel; ++i) {
      __builtin_memcpy(out + step * kPanel + i, source + i * rowStride + 4 * step, sizeof *out);
    }
  }
}

// Steps s and s + 1 of 6 rows, in each half: `p01` holds the numbers of rows 0 and 1 for s, then for s + 1, and so on.
inline void storeSixRows(double* low, double* high, __m256d p01, __m256d p23, __m256d p45) {
  const __m256d first = _mm256_unpacklo_pd(p01, p23);
  const __m256d second = _mm256_shuffle_pd(p45, p01, 0xa);
  const __m256d third = _mm256_unpackhi_pd(p23, p45);
  _mm_storeu_pd(low, _mm256_castpd256_pd128(first));
  _mm_storeu_pd(low + 2, _mm256_castpd256_pd128(second));
  _mm_storeu_pd(low + 4, _mm256_castpd256_pd128(third));
  _mm_storeu_pd(high, _mm256_extractf128_pd(first, 1));
  _mm_storeu_pd(high + 2, _mm256_extractf128_pd(second, 1));
  _mm_storeu_pd(high + 4, _mm256_extractf128_pd(third, 1));
}

template <>
inline void packAcross<kRows>(uint32_t* out, const uint32_t* rows, int64_t rowStride, int64_t steps) {
  const char* source = reinterpret_cast<const char*>(rows);
  int64_t step = 0;
  for (; step + 8 <= steps; step += 8) {
    __m256 row[kRows];
    for (int i = 0; i < kRows; ++i) {
      row[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(source + i * rowStride + 4 * step));
    }
    const auto low = [&](int i) { return _mm256_castps_pd(_mm256_unpacklo_ps(row[i], row[i + 1])); };
    const auto high = [&](int i) { return _mm256_castps_pd(_mm256_unpackhi_ps(row[i], row[i + 1])); };
    double* to = reinterpret_cast<double*>(out + step * kRows);  // a step is 3 doubles
    storeSixRows(to, to + 12, low(0), low(2), low(4));
    storeSixRows(to + 6, to + 18, high(0), high(2), high(4));
  }
  for (; step < steps; ++step) {
    for (int i = 0; i < kRows; ++i) {
      __builtin_memcpy(out + step * kRows + i, source + i * rowStride + 4 * step, sizeof *out);
    }
  }
}
#endif

// k not contiguous, f32: a step is a row segment.
template <int kWidth>
inline void packAlong(uint32_t* out, const float* rows, int64_t stride, int64_t steps) {
  for (int64_t step = 0; step < steps; ++step) {
    __builtin_memcpy(out + step * kWidth, rows + step * stride, kWidth * sizeof(float));
  }
}

#if defined(__AVX512F__)
// Words (x[i], y[i]) of 32 numbers each: the first 16 words, and the other 16.
inline __m512i interleaveLow(__m512i x, __m512i y) {
  const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  return _mm512_permutex2var_epi16(x, order, y);
}
inline __m512i interleaveHigh(__m512i x, __m512i y) {
  const __m512i order = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54, 22,
                                         53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
  return _mm512_permutex2var_epi16(x, order, y);
}
#endif

// k not contiguous, bf16 in native pairs: a step is two interleaved row segments.
template <int kWidth>
inline void packPairsAlong(uint32_t* out, const Bf16* rows, int64_t stride, int64_t steps) {
  for (int64_t step = 0; step < steps; ++step) {
    const Bf16* even = rows + 2 * step * stride;
    const Bf16* odd = even + stride;
    uint32_t* to = out + step * kWidth;
#if defined(__AVX512F__)
    if (kWidth % 32 == 0) {
      for (int i = 0; i < kWidth; i += 32) {
        const __m512i x = _mm512_loadu_si512(even + i);
        const __m512i y = _mm512_loadu_si512(odd + i);
        _mm512_storeu_si512(to + i, interleaveLow(x, y));
        _mm512_storeu_si512(to + i + 16, interleaveHigh(x, y));
      }
      continue;
    }
#endif
    for (int i = 0; i < kWidth; ++i) to[i] = pairWord(even[i], odd[i]);
  }
}

// k not contiguous, bf16 widened: the odd row first.
template <int kWidth>
inline void packWidenedAlong(uint32_t* out, const Bf16* rows, int64_t stride, int64_t steps) {
  for (int64_t step = 0; step < steps; ++step) {
    const Bf16* row = rows + (step / 2 * 2 + 1 - step % 2) * stride;
    for (int i = 0; i < kWidth; ++i) out[step * kWidth + i] = widenedWord(row[i]);
  }
}

// k contiguous, bf16 widened: the odd k first.
template <int kWidth>
inline void packWidenedAcross(uint32_t* out, const Bf16* rows, int64_t stride, int64_t steps) {
  for (int64_t step = 0; step < steps; step += 2) {
    uint32_t* to = out + step * kWidth;
    for (int i = 0; i < kWidth; ++i) to[i] = widenedWord(rows[i * stride + step + 1]);
    for (int i = 0; i < kWidth; ++i) to[kWidth + i] = widenedWord(rows[i * stride + step]);
  }
}

template <int kWidth>
inline void packFullGroup(uint32_t* out, const Operand<float>& m, int64_t first, int64_t from, int64_t to) {
  const float* source = m.at(first, from);
  if (m.kIsContiguous) {
    packAcross<kWidth>(out, reinterpret_cast<const uint32_t*>(source), 4 * m.stride, to - from);
  } else {
    packAlong<kWidth>(out, source, m.stride, to - from);
  }
}

template <int kWidth>
inline void packFullGroup(uint32_t* out, const Operand<Bf16>& m, int64_t first, int64_t from, int64_t to) {
  const Bf16* source = m.at(first, Steps<Bf16>::firstK(from));
  const int64_t steps = to - from;
  if (kPairsAreNative) {
    if (m.kIsContiguous) {
      packAcross<kWidth>(out, reinterpret_cast<const uint32_t*>(source), 2 * m.stride, steps);
    } else {
      packPairsAlong<kWidth>(out, source, m.stride, steps);
    }
  } else if (m.kIsContiguous) {
    packWidenedAcross<kWidth>(out, source, m.stride, steps);
  } else {
    packWidenedAlong<kWidth>(out, source, m.stride, steps);
  }
}

// Steps [from, to) of the group of `kWidth` that begins at `first`; `out` is where step `from` goes. `from` is even.
template <class T, int kWidth>
void packGroup(uint32_t* out, const Operand<T>& m, int64_t first, int64_t count, int64_t from, int64_t to,
               int64_t kCount) {
  const int64_t whole = count < kWidth ? from : larger(from, smaller(to, Steps<T>::unpadded(kCount)));
  if (whole > from) packFullGroup<kWidth>(out, m, first, from, whole);
  packGroupSlowly<T, kWidth>(out + (whole - from) * kWidth, m, first, smaller(count, kWidth), whole, to, kCount);
}

}  // namespace cria::CRIA_ISA
