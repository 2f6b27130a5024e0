// SwiGLU (Shazeer, 2020): y = silu(gate) * up, silu(x) = x * sigmoid(x).
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"
#include "vector-math.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kPerTask = 16384;

// body(at, lanes) for every vector of `count` elements.
template <class Body>
cria_status eachVector(cria_context* context, int64_t count, const Body& body) {
  const FloatingPointMode mode(kFlushDenormals);
  forEach(context, ceilDivide(count, kPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kPerTask, count);
    for (int64_t at = task * kPerTask; at < to; at += kLanes) body(at, lanesLeft(to, at));
  });
  return CRIA_OK;
}

template <class T>
cria_status forward(cria_context* context, T* y, const T* gate, const T* up, int64_t count) {
  return eachVector(context, count, [=](int64_t at, int lanes) {
    const F32x16 g = loadLanes(gate + at, lanes);
    storeLanes(y + at, g * sigmoid(g) * loadLanes(up + at, lanes), lanes);
  });
}

// silu'(g) = s + silu(g) * (1 - s) with s = sigmoid(g).
template <class T>
cria_status backward(cria_context* context, T* dgate, T* dup, const T* dy, const T* gate, const T* up, int64_t count) {
  return eachVector(context, count, [=](int64_t at, int lanes) {
    const F32x16 g = loadLanes(gate + at, lanes);
    const F32x16 u = loadLanes(up + at, lanes);
    const F32x16 d = loadLanes(dy + at, lanes);
    const F32x16 s = sigmoid(g);
    const F32x16 silu = g * s;
    storeLanes(dup + at, d * silu, lanes);
    storeLanes(dgate + at, d * u * multiplyAdd(broadcast(1.0f) - s, silu, s), lanes);
  });
}

}  // namespace

cria_status swiglu_forward(cria_context* context, void* y, const void* gate, const void* up, int64_t count,
                           cria_dtype dtype) {
  if (dtype == CRIA_BF16) {
    return forward(context, static_cast<Bf16*>(y), static_cast<const Bf16*>(gate), static_cast<const Bf16*>(up),
                   count);
  }
  return forward(context, static_cast<float*>(y), static_cast<const float*>(gate), static_cast<const float*>(up),
                 count);
}

cria_status swiglu_backward(cria_context* context, void* dgate, void* dup, const void* dy, const void* gate,
                            const void* up, int64_t count, cria_dtype dtype) {
  if (dtype == CRIA_BF16) {
    return backward(context, static_cast<Bf16*>(dgate), static_cast<Bf16*>(dup), static_cast<const Bf16*>(dy),
                    static_cast<const Bf16*>(gate), static_cast<const Bf16*>(up), count);
  }
  return backward(context, static_cast<float*>(dgate), static_cast<float*>(dup), static_cast<const float*>(dy),
                  static_cast<const float*>(gate), static_cast<const float*>(up), count);
}

}  // namespace cria::CRIA_ISA
