// Causal grouped-query attention, forward: out = softmax(q k^T / sqrt(headDim)) v, and the log-sum-exp for the
// backward pass.
#include "attention.h"
#include "context.h"
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"
#include "scalar-math.h"
#include "vector-math.h"

namespace cria::CRIA_ISA {

namespace {

template <class T>
struct Forward {
  T* out;
  float* lse;
  const T* q;
  const T* k;
  const T* v;
  cria_attention_sizes sizes;
};

template <class T>
struct ForwardScratch {
  Panels keys;    // k^T: [headDim][keys]
  Panels values;  // v: [keys][headDim]
  float* scores;  // [kQueryBlock][scoreStride]
  T* weights;     // the same, unnormalised
  float* sums;    // [kQueryBlock][headDim]
  uint32_t* left;
  size_t sizeBytes;

  ForwardScratch(void* memory, const cria_attention_sizes& s) {
    ScratchCutter cutter(memory);
    const int64_t padded = roundUp(s.keys, kKeyBlock);
    keys = takePanels<T>(cutter, padded, s.head_dim);
    values = takePanels<T>(cutter, s.head_dim, padded);
    scores = cutter.take<float>(kQueryBlock * scoreStride(s.keys));
    weights = cutter.take<T>(kQueryBlock * scoreStride(s.keys));
    sums = cutter.take<float>(kQueryBlock * values.columns);
    left = cutter.take<uint32_t>(leftWordsFor(larger(padded, s.head_dim)));
    sizeBytes = cutter.used();
  }
};

struct RowSum {
  float maximum;  // of the scaled scores
  float sum;
};

// weights[j] = exp(scale * score[j] - maximum) for the first `visible` keys, zero up to `padded`.
template <class T>
RowSum softmaxRow(T* weights, const float* scores, int64_t visible, int64_t padded, float scale) {
  const F32x16 least = broadcast(-__builtin_inff());
  F32x16 largest = least;
  for (int64_t j = 0; j < visible; j += kLanes) {
    largest = maximum(largest, keepFirstOr(load(scores + j), lanesLeft(visible, j), least));
  }
  const float top = maxLane(largest) * scale;
  F32x16 sum = zeros();
  for (int64_t j = 0; j < padded; j += kLanes) {
    const int lanes = static_cast<int>(larger(0, lanesLeft(visible, j)));
    const F32x16 power = exponential(multiplyAdd(load(scores + j), broadcast(scale), broadcast(-top)));
    const F32x16 weight = keepFirst(power, lanes);
    sum = sum + weight;
    store(weights + j, weight);
  }
  return {top, sumLanes(sum)};
}

template <class T>
void forwardBlock(const Forward<T>& a, const ForwardScratch<T>& scratch, const TaskPlace& place, int64_t inGroup,
                  int64_t firstQuery) {
  const cria_attention_sizes& s = a.sizes;
  const int64_t rows = smaller(kQueryBlock, s.queries - firstQuery);
  const int64_t before = s.keys - s.queries + firstQuery;  // keys before the block's first query
  const int64_t padded = roundUp(before + rows, kKeyBlock);
  const int64_t stride = scoreStride(s.keys);
  const int64_t at = place.queryAt(s, inGroup) + firstQuery * place.queryStride;
  const Operand<T> queries{a.q + at, place.queryStride, true};
  multiplyPanels(scratch.scores, stride, queries, rows, s.head_dim, scratch.keys, padded, false, scratch.left);
  float inverse[kQueryBlock];
  for (int64_t i = 0; i < rows; ++i) {
    const RowSum row = softmaxRow(scratch.weights + i * stride, scratch.scores + i * stride, before + i + 1, padded,
                                  scoreScale(s.head_dim));
    inverse[i] = 1.0f / row.sum;
    a.lse[place.lseAt(s, inGroup) + firstQuery + i] =
        static_cast<float>(static_cast<double>(row.maximum) + naturalLogarithm(static_cast<double>(row.sum)));
  }
  const int64_t columns = scratch.values.columns;
  const Operand<T> weights{scratch.weights, stride, true};
  multiplyPanels(scratch.sums, columns, weights, rows, padded, scratch.values, columns, false, scratch.left);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < s.head_dim; j += kLanes) {
      storeLanes(a.out + at + i * place.queryStride + j, load(scratch.sums + i * columns + j) * broadcast(inverse[i]),
                 lanesLeft(s.head_dim, j));
    }
  }
}

template <class T>
cria_status forward(cria_context* context, const Forward<T>& a) {
  const cria_attention_sizes& s = a.sizes;
  if (!reserveScratch(context, ForwardScratch<T>(nullptr, s).sizeBytes)) return CRIA_OUT_OF_MEMORY;
  forEach(context, s.batch * s.kv_heads, [&](int64_t task, int worker) {
    const ForwardScratch<T> own(scratch(context, worker), s);
    const TaskPlace place(s, task);
    const int64_t keyAt = place.keyAt(s);
    packPanels<T>(own.keys, {a.k + keyAt, place.keyStride, true}, s.keys, s.head_dim);
    packPanels<T>(own.values, {a.v + keyAt, place.keyStride, false}, s.head_dim, s.keys);
    for (int64_t inGroup = 0; inGroup < place.group; ++inGroup) {
      for (int64_t query = 0; query < s.queries; query += kQueryBlock) forwardBlock(a, own, place, inGroup, query);
    }
  });
  return CRIA_OK;
}

}  // namespace

cria_status attention_forward(cria_context* context, void* out, float* lse, const void* q, const void* k,
                              const void* v, cria_attention_sizes sizes, cria_dtype dtype) {
  const FloatingPointMode mode(kFlushDenormals);
  if (dtype == CRIA_BF16) {
    return forward(context, Forward<Bf16>{static_cast<Bf16*>(out), lse, static_cast<const Bf16*>(q),
                                          static_cast<const Bf16*>(k), static_cast<const Bf16*>(v), sizes});
  }
  return forward(context, Forward<float>{static_cast<float*>(out), lse, static_cast<const float*>(q),
                                         static_cast<const float*>(k), static_cast<const float*>(v), sizes});
}

}  // namespace cria::CRIA_ISA
