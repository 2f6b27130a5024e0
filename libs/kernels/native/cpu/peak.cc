// What the registers alone can do: the limit that every product is held against.
#include <time.h>

#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"
#include "micro-kernel.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int kChains = 24;
constexpr int64_t kRound = 2000;

double secondsNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

inline void keep(F32x16& x) {
#if defined(__AVX512F__)
  asm volatile("" : "+v"(x.v));
#elif defined(__AVX2__)
  asm volatile("" : "+x"(x.lo), "+x"(x.hi));
#else
  asm volatile("" : : "g"(&x) : "memory");
#endif
}

// Independent chains in registers for `seconds`; returns how many multiply-adds of a lane were done.
template <bool kPairs>
double spin(double seconds) {
#if defined(__AVX512F__)
  constexpr int kCount = kChains;
#else
  constexpr int kCount = kChains / 4;  // two registers each
#endif
  F32x16 sums[kCount];
  for (F32x16& sum : sums) sum = zeros();
  F32x16 a = zeros(), b = zeros();
  double done = 0;
  for (const double end = secondsNow() + seconds; secondsNow() < end; done += kRound * kCount) {
    for (int64_t i = 0; i < kRound; ++i) {
#pragma GCC unroll 24
      for (int j = 0; j < kCount; ++j) sums[j] = chainStep<kPairs>(a, b, sums[j]);
      keep(a);
      keep(b);
    }
  }
  for (F32x16& sum : sums) keep(sum);
  return done * kLanes * (kPairs ? 2 : 1);
}

}  // namespace

cria_status peak_flops(cria_context* context, double* flops, double milliseconds, cria_dtype dtype) {
  const FloatingPointMode mode(kFlushDenormals);
  const double seconds = milliseconds * 1e-3;
  const int threads = threadCount(context);
  auto* counts = static_cast<double*>(workspace(context, Workspace::partials, sizeof(double) * threads));
  if (counts == nullptr) return CRIA_OUT_OF_MEMORY;
  const double begin = secondsNow();
  forEach(context, threads, [&](int64_t index, int) {
    counts[index] = dtype == CRIA_BF16 && kPairsAreNative ? spin<kPairsAreNative>(seconds) : spin<false>(seconds);
  });
  const double elapsed = secondsNow() - begin;
  double total = 0;
  for (int i = 0; i < threads; ++i) total += counts[i];
  *flops = 2 * total / elapsed;
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
