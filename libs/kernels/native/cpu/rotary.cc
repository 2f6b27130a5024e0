// Rotary position embedding (Su et al., 2021) in Hugging Face's half-split form: number j of a head turns with number
// j + head_dim / 2.
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kRowsPerTask = 16;

template <class T>
void turn(T* head, const float* cosine, const float* sine, int64_t half, bool inverse) {
  for (int64_t j = 0; j < half; j += kLanes) {
    const int lanes = lanesLeft(half, j);
    const F32x16 c = loadLanes(cosine + j, lanes);
    const F32x16 s = inverse ? zeros() - loadLanes(sine + j, lanes) : loadLanes(sine + j, lanes);
    const F32x16 first = loadLanes(head + j, lanes);
    const F32x16 second = loadLanes(head + half + j, lanes);
    storeLanes(head + j, subtractProduct(first * c, second, s), lanes);
    storeLanes(head + half + j, multiplyAdd(first, s, second * c), lanes);
  }
}

struct Heads {
  int64_t rows, length, first, heads, headDim;
};

template <class T>
void turnAll(cria_context* context, T* x, const float* cosines, const float* sines, const Heads& h, bool inverse) {
  const int64_t half = h.headDim / 2;
  forEach(context, ceilDivide(h.rows, kRowsPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kRowsPerTask, h.rows);
    for (int64_t row = task * kRowsPerTask; row < to; ++row) {
      const int64_t at = (h.first + row % h.length) * half;
      for (int64_t head = 0; head < h.heads; ++head) {
        turn(x + (row * h.heads + head) * h.headDim, cosines + at, sines + at, half, inverse);
      }
    }
  });
}

}  // namespace

cria_status rotary(cria_context* context, void* x, const float* cosines, const float* sines, int64_t rows,
                   int64_t length, int64_t first, int64_t heads, int64_t headDim, int inverse, cria_dtype dtype) {
  const FloatingPointMode mode(kFlushDenormals);
  const Heads sizes{rows, length, first, heads, headDim};
  if (dtype == CRIA_BF16) {
    turnAll(context, static_cast<Bf16*>(x), cosines, sines, sizes, inverse != 0);
  } else {
    turnAll(context, static_cast<float*>(x), cosines, sines, sizes, inverse != 0);
  }
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
