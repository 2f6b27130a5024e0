// Causal grouped-query attention, backward. Weights are computed again from the saved log-sum-exp:
//
//   p[i, j]  = exp(scale * q[i] k[j] - lse[i])       ds[i, j] = scale * p[i, j] * (dout[i] v[j] - delta[i])
//   delta[i] = out[i] dout[i]                        dq = ds k,   dk = ds^T q,   dv = p^T dout
#include "attention.h"
#include "context.h"
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"
#include "vector-math.h"

namespace cria::CRIA_ISA {

namespace {

template <class T>
struct Backward {
  T* dq;
  T* dk;
  T* dv;
  const T* out;
  const float* lse;
  const T* dout;
  const T* q;
  const T* k;
  const T* v;
  cria_attention_sizes sizes;
};

template <class T>
struct BackwardScratch {
  Panels keysAcross;    // k^T: [headDim][keys], for scores
  Panels valuesAcross;  // v^T: [headDim][keys], for the gradient of the weights
  Panels keys;          // k: [keys][headDim], for dq
  Panels queries;       // q, then dout, of the block: [queries][headDim]
  float* scores;        // [kQueryBlock][scoreStride]
  float* dweights;
  T* weights;
  T* dscores;
  float* dq;  // [kQueryBlock][headDim]
  float* dk;  // [keys][headDim]
  float* dv;
  uint32_t* left;
  int64_t keysPadded;
  size_t sizeBytes;

  BackwardScratch(void* memory, const cria_attention_sizes& s) {
    ScratchCutter cutter(memory);
    keysPadded = roundUp(s.keys, kKeyBlock);
    keysAcross = takePanels<T>(cutter, keysPadded, s.head_dim);
    valuesAcross = takePanels<T>(cutter, keysPadded, s.head_dim);
    keys = takePanels<T>(cutter, s.head_dim, keysPadded);
    queries = takePanels<T>(cutter, s.head_dim, kQueryBlock);
    const int64_t scoreCount = kQueryBlock * scoreStride(s.keys);
    scores = cutter.take<float>(scoreCount);
    dweights = cutter.take<float>(scoreCount);
    weights = cutter.take<T>(scoreCount);
    dscores = cutter.take<T>(scoreCount);
    dq = cutter.take<float>(kQueryBlock * keys.columns);
    dk = cutter.take<float>(keysPadded * keys.columns);
    dv = cutter.take<float>(keysPadded * keys.columns);
    left = cutter.take<uint32_t>(leftWordsFor(larger(keysPadded, s.head_dim)));
    sizeBytes = cutter.used();
  }
};

template <class T>
float dot(const T* a, const T* b, int64_t count) {
  F32x16 sum = zeros();
  for (int64_t j = 0; j < count; j += kLanes) {
    const int lanes = lanesLeft(count, j);
    sum = multiplyAdd(loadLanes(a + j, lanes), loadLanes(b + j, lanes), sum);
  }
  return sumLanes(sum);
}

// Weights and gradients of scores of one query; keys it may not see are zero.
template <class T>
void differentiateRow(const BackwardScratch<T>& scratch, int64_t at, int64_t visible, int64_t padded, float scale,
                      float lse, float delta) {
  const F32x16 factor = broadcast(scale);
  for (int64_t j = 0; j < padded; j += kLanes) {
    const int lanes = static_cast<int>(larger(0, lanesLeft(visible, j)));
    const F32x16 power = exponential(multiplyAdd(load(scratch.scores + at + j), factor, broadcast(-lse)));
    const F32x16 weight = keepFirst(power, lanes);
    const F32x16 change = keepFirst(load(scratch.dweights + at + j) - broadcast(delta), lanes);
    store(scratch.weights + at + j, weight);
    store(scratch.dscores + at + j, weight * factor * change);
  }
}

template <class T>
void storeRows(T* to, int64_t toStride, const float* from, int64_t fromStride, int64_t rows, int64_t count) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < count; j += kLanes) {
      storeLanes(to + i * toStride + j, load(from + i * fromStride + j), lanesLeft(count, j));
    }
  }
}

template <class T>
void backwardBlock(const Backward<T>& a, const BackwardScratch<T>& scratch, const TaskPlace& place, int64_t inGroup,
                   int64_t firstQuery) {
  const cria_attention_sizes& s = a.sizes;
  const int64_t dim = s.head_dim;
  const int64_t rows = smaller(kQueryBlock, s.queries - firstQuery);
  const int64_t padded = roundUp(firstQuery + rows, kKeyBlock);
  const int64_t stride = scoreStride(s.keys);
  const int64_t at = place.queryAt(s, inGroup) + firstQuery * place.queryStride;
  const Operand<T> q{a.q + at, place.queryStride, true};
  const Operand<T> dout{a.dout + at, place.queryStride, true};
  multiplyPanels(scratch.scores, stride, q, rows, dim, scratch.keysAcross, padded, false, scratch.left);
  multiplyPanels(scratch.dweights, stride, dout, rows, dim, scratch.valuesAcross, padded, false, scratch.left);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t row = at + i * place.queryStride;
    const float lse = a.lse[place.lseAt(s, inGroup) + firstQuery + i];
    differentiateRow(scratch, i * stride, firstQuery + i + 1, padded, scoreScale(dim), lse,
                     dot(a.out + row, a.dout + row, dim));
  }
  const int64_t columns = scratch.keys.columns;
  const Operand<T> dscores{scratch.dscores, stride, true};
  multiplyPanels(scratch.dq, columns, dscores, rows, padded, scratch.keys, columns, false, scratch.left);
  storeRows(a.dq + at, place.queryStride, scratch.dq, columns, rows, dim);

  packPanels<T>(scratch.queries, {q.data, q.stride, false}, dim, rows);
  multiplyPanels<T>(scratch.dk, columns, {scratch.dscores, stride, false}, padded, rows, scratch.queries, columns, true,
                    scratch.left);
  packPanels<T>(scratch.queries, {dout.data, dout.stride, false}, dim, rows);
  multiplyPanels<T>(scratch.dv, columns, {scratch.weights, stride, false}, padded, rows, scratch.queries, columns, true,
                    scratch.left);
}

template <class T>
void backwardTask(const Backward<T>& a, const BackwardScratch<T>& scratch, const TaskPlace& place) {
  const cria_attention_sizes& s = a.sizes;
  const int64_t keyAt = place.keyAt(s);
  packPanels<T>(scratch.keysAcross, {a.k + keyAt, place.keyStride, true}, s.keys, s.head_dim);
  packPanels<T>(scratch.valuesAcross, {a.v + keyAt, place.keyStride, true}, s.keys, s.head_dim);
  packPanels<T>(scratch.keys, {a.k + keyAt, place.keyStride, false}, s.head_dim, s.keys);
  const int64_t columns = scratch.keys.columns;
  __builtin_memset(scratch.dk, 0, sizeof(float) * scratch.keysPadded * columns);
  __builtin_memset(scratch.dv, 0, sizeof(float) * scratch.keysPadded * columns);
  for (int64_t inGroup = 0; inGroup < place.group; ++inGroup) {
    for (int64_t query = 0; query < s.queries; query += kQueryBlock) backwardBlock(a, scratch, place, inGroup, query);
  }
  storeRows(a.dk + keyAt, place.keyStride, scratch.dk, columns, s.keys, s.head_dim);
  storeRows(a.dv + keyAt, place.keyStride, scratch.dv, columns, s.keys, s.head_dim);
}

template <class T>
cria_status backward(cria_context* context, const Backward<T>& a) {
  const cria_attention_sizes& s = a.sizes;
  if (!reserveScratch(context, BackwardScratch<T>(nullptr, s).sizeBytes)) return CRIA_OUT_OF_MEMORY;
  forEach(context, s.batch * s.kv_heads, [&](int64_t task, int worker) {
    backwardTask(a, BackwardScratch<T>(scratch(context, worker), s), TaskPlace(s, task));
  });
  return CRIA_OK;
}

template <class T>
cria_status backwardOf(cria_context* context, void* dq, void* dk, void* dv, const void* out, const float* lse,
                       const void* dout, const void* q, const void* k, const void* v,
                       const cria_attention_sizes& sizes) {
  return backward(context, Backward<T>{static_cast<T*>(dq), static_cast<T*>(dk), static_cast<T*>(dv),
                                       static_cast<const T*>(out), lse, static_cast<const T*>(dout),
                                       static_cast<const T*>(q), static_cast<const T*>(k), static_cast<const T*>(v),
                                       sizes});
}

}  // namespace

cria_status attention_backward(cria_context* context, void* dq, void* dk, void* dv, const void* out, const float* lse,
                               const void* dout, const void* q, const void* k, const void* v,
                               cria_attention_sizes sizes, cria_dtype dtype) {
  const FloatingPointMode mode(kFlushDenormals);
  if (dtype == CRIA_BF16) return backwardOf<Bf16>(context, dq, dk, dv, out, lse, dout, q, k, v, sizes);
  return backwardOf<float>(context, dq, dk, dv, out, lse, dout, q, k, v, sizes);
}

}  // namespace cria::CRIA_ISA
