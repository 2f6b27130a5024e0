// The innermost loop: a register tile of up to 6 rows x kPanel columns of C, over some steps of the chain.
#pragma once

#include "operand.h"

namespace cria::CRIA_ISA {

constexpr int kRows = 6;
// 6 x 4 vectors of AVX-512 leave 8 of 32 registers, 6 x 1 pairs of AVX2 registers leave 4 of 16.
#if defined(__AVX512F__)
constexpr int kVectors = 4;
#else
constexpr int kVectors = 1;
#endif
// Columns of a packed panel.
constexpr int kPanel = kVectors * kLanes;
// Of a panel for few columns, such as a small attention head: half the registers still hide the latency.
constexpr int kNarrowVectors = kVectors < 2 ? kVectors : 2;
constexpr int kNarrowPanel = kNarrowVectors * kLanes;

// Rows of the left operand as steps. Packed: row i, step s at words[s * kRows + i]. Where they lie in the matrix: at
// words[i * rowStride + s].
struct LeftSteps {
  const float* words;
  bool isPacked;
  int64_t rowStride;

  static LeftSteps packed(const void* words) { return {static_cast<const float*>(words), true, 1}; }
  static LeftSteps inPlace(const void* words, int64_t rowStride) {
    return {static_cast<const float*>(words), false, rowStride};
  }
};

template <bool kPairs>
inline F32x16 chainStep(F32x16 a, F32x16 b, F32x16 c) {
#if defined(__AVX512BF16__)
  if (kPairs) return {_mm512_dpbf16_ps(c.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
  // Written out, because the compiler would let the sums change registers from step to step, and 12 sums leave none to
  // spare for that.
  asm("vfmadd231ps %2, %1, %0" : "+x"(c.lo) : "x"(a.lo), "x"(b.lo));
  asm("vfmadd231ps %2, %1, %0" : "+x"(c.hi) : "x"(a.hi), "x"(b.hi));
  return c;
#else
  return multiplyAdd(a, b, c);
#endif
}

// The sums of a register tile go one step further. Row i of the left operand is at low[i * rowStride] or, from the
// fourth on, at high[(i - 3) * rowStride]: so every address is a register and a small multiple of another.
template <bool kPairs, int kWide, int kCount>
inline __attribute__((always_inline)) void advance(F32x16 (&sum)[kCount][kWide], const float* low, const float* high,
                                                   int64_t rowStride, const float* panel) {
  F32x16 b[kWide];
#pragma GCC unroll 4
  for (int j = 0; j < kWide; ++j) b[j] = load(panel + j * kLanes);
  if (kVectors > 1) {  // narrow panels stream by themselves, and loads are what they are short of
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) prefetch(panel + 8 * kWide * kLanes + j * kLanes);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kCount; ++i) {
    const F32x16 ai = broadcast(i < 3 ? low[i * rowStride] : high[(i - 3) * rowStride]);
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) sum[i][j] = chainStep<kPairs>(ai, b[j], sum[i][j]);
  }
}

// All steps of a register tile's sums. Packed or not is known when this is compiled, so that the distances between
// addresses of a row or of a step are constants.
template <bool kPairs, int kWide, int kCount, bool kPacked>
inline __attribute__((always_inline)) void advanceAll(F32x16 (&sum)[kCount][kWide], const LeftSteps& left,
                                                      const float* panel, int64_t steps) {
  // Narrow tiles have so little to do in a step that counting would show.
  constexpr int kUnrolled = kVectors == 1 ? 8 : 1;
  constexpr int64_t kNext = kPacked ? kRows : 1;
  const int64_t rowStride = kPacked ? 1 : left.rowStride;
  const float* low = left.words;
  const float* high = low + 3 * rowStride;
  int64_t step = 0;
  for (; step + kUnrolled <= steps; step += kUnrolled) {
#pragma GCC unroll 8
    for (int u = 0; u < kUnrolled; ++u) {
      advance<kPairs>(sum, low + u * kNext, high + u * kNext, rowStride, panel + u * kWide * kLanes);
    }
    low += kUnrolled * kNext;
    high += kUnrolled * kNext;
    panel += kUnrolled * kWide * kLanes;
  }
  for (; step < steps; ++step) {
    advance<kPairs>(sum, low, high, rowStride, panel);
    low += kNext;
    high += kNext;
    panel += kWide * kLanes;
  }
}

// C tile = (resume ? C tile : 0) + left * panel, for kCount rows; panel is [steps][kWide * kLanes] words.
template <bool kPairs, int kWide, int kCount>
inline void multiplyTile(const LeftSteps& left, const float* panel, int64_t steps, float* c, int64_t cStride,
                         bool resume) {
  F32x16 sum[kCount][kWide];
  for (int i = 0; i < kCount; ++i) {
    for (int j = 0; j < kWide; ++j) prefetchForWrite(c + i * cStride + j * kLanes);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) sum[i][j] = resume ? load(c + i * cStride + j * kLanes) : zeros();
  }
  if (left.isPacked) {
    advanceAll<kPairs, kWide, kCount, true>(sum, left, panel, steps);
  } else {
    advanceAll<kPairs, kWide, kCount, false>(sum, left, panel, steps);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kWide; ++j) store(c + i * cStride + j * kLanes, sum[i][j]);
  }
}

// As above for 1 to 6 rows.
template <bool kPairs, int kWide = kVectors>
inline void multiplyRows(int rows, const LeftSteps& left, const float* panel, int64_t steps, float* c, int64_t cStride,
                         bool resume) {
  switch (rows) {
    case 6: return multiplyTile<kPairs, kWide, 6>(left, panel, steps, c, cStride, resume);
    case 5: return multiplyTile<kPairs, kWide, 5>(left, panel, steps, c, cStride, resume);
    case 4: return multiplyTile<kPairs, kWide, 4>(left, panel, steps, c, cStride, resume);
    case 3: return multiplyTile<kPairs, kWide, 3>(left, panel, steps, c, cStride, resume);
    case 2: return multiplyTile<kPairs, kWide, 2>(left, panel, steps, c, cStride, resume);
    default: return multiplyTile<kPairs, kWide, 1>(left, panel, steps, c, cStride, resume);
  }
}

}  // namespace cria::CRIA_ISA
