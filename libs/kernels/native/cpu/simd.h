// Sixteen f32 lanes on every instruction set, so that a kernel is written once and its bits cannot depend on the CPU.
//
// Each file that includes this is compiled once per instruction set into a namespace of that name. Such files use no
// inline functions of the standard library (see context.h).
#pragma once

#include <cstdint>

#include "../include/cria_kernels.h"

#ifndef CRIA_ISA
#error "compile with -DCRIA_ISA=<instruction set>; build-addon.mjs has the list"
#endif

namespace cria::CRIA_ISA {

// Storage of a bfloat16 number.
struct Bf16 {
  uint16_t bits;
};

constexpr int kLanes = 16;

}  // namespace cria::CRIA_ISA

#if defined(__AVX512F__)
#include "simd-avx512.h"
#elif defined(__AVX2__)
#include "simd-avx2.h"
#else
#include "simd-portable.h"
#endif

namespace cria::CRIA_ISA {

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Number of valid lanes of the vector that begins at `at` of `count`.
inline int lanesLeft(int64_t count, int64_t at) { return static_cast<int>(smaller(kLanes, count - at)); }

template <class T>
inline F32x16 loadLanes(const T* p, int lanes) {
  return lanes == kLanes ? load(p) : loadPartial(p, lanes);
}

template <class T>
inline void storeLanes(T* p, F32x16 v, int lanes) {
  if (lanes == kLanes) {
    store(p, v);
  } else {
    storePartial(p, v, lanes);
  }
}

}  // namespace cria::CRIA_ISA
