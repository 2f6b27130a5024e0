// AdamW and the squares of the global norm. Here every operation is rounded by itself and denormals are kept, so that
// TypeScript gives the same bits (libs/kernels/src/reference/adamw.ts has the formulas and the order).
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kChunk = 4096;

double chunkSquareSum(const float* values, int64_t count) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double x = values[i + lane];
      lanes[lane] += x * x;
    }
  }
  for (int lane = 0; i < count; ++i, ++lane) {
    const double x = values[i];
    lanes[lane] += x * x;
  }
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

struct State {
  float* params;
  float* expAvg;
  float* expAvgSq;
  const float* gradient;
};

void updateLanes(const State& state, int64_t at, int lanes, const cria_adamw_scalars& s, float decayFactor) {
  const F32x16 g = loadLanes(state.gradient + at, lanes) * broadcast(s.clip);
  const F32x16 m =
      broadcast(s.beta1) * loadLanes(state.expAvg + at, lanes) + broadcast(s.one_minus_beta1) * g;
  const F32x16 v =
      broadcast(s.beta2) * loadLanes(state.expAvgSq + at, lanes) + (broadcast(s.one_minus_beta2) * g) * g;
  const F32x16 d = squareRoot(v) * broadcast(s.inverse_sqrt_bias_correction2) + broadcast(s.eps);
  const F32x16 p = loadLanes(state.params + at, lanes) * broadcast(decayFactor);
  storeLanes(state.expAvg + at, m, lanes);
  storeLanes(state.expAvgSq + at, v, lanes);
  storeLanes(state.params + at, p - broadcast(s.step_size) * (m / d), lanes);
}

}  // namespace

cria_status square_sum(cria_context* context, double* chunks, const float* values, int64_t count) {
  const FloatingPointMode mode(kIeee);
  constexpr int64_t kChunksPerTask = 4;
  const int64_t total = ceilDivide(count, kChunk);
  forEach(context, ceilDivide(total, kChunksPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kChunksPerTask, total);
    for (int64_t chunk = task * kChunksPerTask; chunk < to; ++chunk) {
      chunks[chunk] = chunkSquareSum(values + chunk * kChunk, smaller(kChunk, count - chunk * kChunk));
    }
  });
  return CRIA_OK;
}

cria_status adamw_update(cria_context* context, float* params, float* expAvg, float* expAvgSq, const float* gradient,
                         int64_t count, int decay, cria_adamw_scalars scalars) {
  const FloatingPointMode mode(kIeee);
  constexpr int64_t kPerTask = 16384;
  const State state{params, expAvg, expAvgSq, gradient};
  const float decayFactor = decay != 0 ? scalars.weight_decay_factor : 1.0f;  // times 1 changes no bit
  forEach(context, ceilDivide(count, kPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kPerTask, count);
    for (int64_t at = task * kPerTask; at < to; at += kLanes) updateLanes(state, at, lanesLeft(to, at), scalars, decayFactor);
  });
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
