// Packing of one block: 8 lanes of 32 rows; value j is in lane j % 8, row j / 8; a lane is its rows one after the
// other from the lowest bit on. libs/kernels/src/reference/pack.ts has the format.
#pragma once

#include "block.h"

namespace cria::CRIA_ISA {

constexpr int kPackLanes = 8;
constexpr int kPackRows = kBlock / kPackLanes;
constexpr int64_t kWideBytes = kBlock * 8;

inline int64_t payloadBytes(int width) { return width <= 32 ? int64_t{width} * 32 : kWideBytes; }

// Eight lanes in one vector of whatever width the CPU has (an extension of g++ and clang).
typedef uint32_t U32x8 __attribute__((vector_size(32)));
typedef int32_t I32x8 __attribute__((vector_size(32)));

inline U32x8 loadWords(const void* p) {
  U32x8 words;
  __builtin_memcpy(&words, p, sizeof words);
  return words;
}
inline void storeWords(void* p, U32x8 words) { __builtin_memcpy(p, &words, sizeof words); }

// (q << 1) ^ (q >> 31) and its inverse.
inline U32x8 zigzag(U32x8 q) { return (q << 1) ^ reinterpret_cast<U32x8>(reinterpret_cast<I32x8>(q) >> 31); }
inline U32x8 unzigzag(U32x8 z) { return (z >> 1) ^ (0 - (z & 1)); }

template <int kWidth>
void packRows(uint8_t* out, const int32_t* values) {
  U32x8 word = {};
  int filled = 0;
#pragma GCC unroll 32
  for (int row = 0; row < kPackRows; ++row) {
    const U32x8 z = zigzag(loadWords(values + row * kPackLanes));
    word |= z << filled;
    filled += kWidth;
    if (filled < 32) continue;
    storeWords(out, word);
    out += sizeof word;
    filled -= 32;
    word = filled > 0 ? z >> (kWidth - filled) : U32x8{};
  }
}

template <int kWidth>
void unpackRows(int32_t* values, const uint8_t* in) {
  constexpr uint32_t kMask = kWidth == 32 ? ~0u : (1u << kWidth) - 1u;
  U32x8 word = loadWords(in);
  int position = 0;
#pragma GCC unroll 32
  for (int row = 0; row < kPackRows; ++row) {
    U32x8 z = word >> position;
    position += kWidth;
    if (position >= 32) {
      position -= 32;
      in += sizeof word;
      if (row + 1 < kPackRows) word = loadWords(in);
      if (position > 0) z |= word << (kWidth - position);
    }
    storeWords(values + row * kPackLanes, unzigzag(z & kMask));
  }
}

using PackRows = void (*)(uint8_t*, const int32_t*);
using UnpackRows = void (*)(int32_t*, const uint8_t*);

struct RowCodecs {
  PackRows pack[33];
  UnpackRows unpack[33];
};

template <int kWidth>
constexpr void fillCodecs(RowCodecs& codecs) {
  codecs.pack[kWidth] = packRows<kWidth>;
  codecs.unpack[kWidth] = unpackRows<kWidth>;
  if constexpr (kWidth > 1) fillCodecs<kWidth - 1>(codecs);
}

constexpr RowCodecs makeCodecs() {
  RowCodecs codecs{};
  fillCodecs<32>(codecs);
  return codecs;
}

// By width, 1 to 32.
constexpr RowCodecs kCodecs = makeCodecs();

}  // namespace cria::CRIA_ISA
