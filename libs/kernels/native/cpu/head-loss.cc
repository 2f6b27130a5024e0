// Output head and cross-entropy in one. For a chunk of rows x (logits z = x w^T, M rows in all):
//
//   e[v, m] = exp(z[m, v] - r[m])         leaves the product's tile as it is finished; logits are never stored
//   Z[m]    = sum over v of e[v, m]       loss[m] = r[m] + log Z[m] - z[m, target]
//   dx[m]   = s[m] * (sum over v of e[v, m] w[v]) - w[target] / M,       s[m] = 1 / (Z[m] M)
//   dw[v]   = sum over m of e[v, m] (s[m] x[m])  - (target = v ? x[m] / M : 0)
//
// So one exponential per logit, and no pass over the logits between the products: the normaliser goes into x and dx.
// r[m] = 0 unless a row's logits leave the range in which that is exact enough; then r[m] is their maximum and the
// chunk is done again. That depends on the row alone, so chunks cannot change a bit.
//
// e is stored transposed, [vocabulary][rows of the chunk]: then w is read where it lies for z, and e for dw.
#include "context.h"
#include "floating-point-mode.h"
#include "for-each.h"
#include "gemm.h"
#include "kernels.h"
#include "scalar-math.h"
#include "vector-math.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kChunkRows = 512;
// Rows of w per visit: e and w of a slab stay in L3 from the product that makes e to the one that uses it for dx.
constexpr int64_t kSlab = 4224;
// Rows of w whose exponentials are summed in f32, in ascending order, before the sums are added in f64. A multiple of
// the micro-kernel's rows, a divisor of kSlab, and part of the arithmetic.
constexpr int64_t kSumBlock = 48;
static_assert(kMinTileGroups * kRows % kSumBlock == 0 && kSlab % kSumBlock == 0, "a block's rows are one task's");
// Z outside means logits beyond about +-60.
constexpr double kLeastSum = 1e-20;
constexpr double kLargestSum = 1e30;

template <class T>
struct Head {
  float* losses;
  float* dx;
  float* dw;
  const T* x;
  const T* w;
  const int32_t* targets;
  int64_t rows, width, vocabulary;
  bool accumulate;
};

// The chunk's rows with what is known about each.
template <class T>
struct Chunk {
  int64_t first, rows;
  // Distance between rows of e: even, so that pairs of rows m are whole words.
  int64_t stride;
  T* e;
  float* sums;     // [sum blocks][stride]
  float* maxima;   // [sum blocks][stride]
  float* offsets;  // r
  float* targetLogits;
  float* scales;   // s
  double* totals;  // Z
  T* scaled;       // s[m] x[m], [stride][width]
};

template <class T>
struct StoreExponentials {
  static constexpr bool kInPlace = false;
  const Chunk<T>& chunk;
  const int32_t* targets;
  int64_t firstVocabulary;
  T* e;  // of this slab; null: not wanted

  void prefetch(int64_t row, int rows, int64_t column) const {
    if (e != nullptr) prefetchRows(e + row * chunk.stride + column, chunk.stride, rows);
  }

  void operator()(const float* tile, int64_t tileStride, int64_t row, int rows, int64_t column, int columns) const {
    const int64_t v = firstVocabulary + row;
    float* sums = chunk.sums + v / kSumBlock * chunk.stride;
    float* maxima = chunk.maxima + v / kSumBlock * chunk.stride;
    const bool fresh = v % kSumBlock == 0;
    for (int64_t m = column; m < column + columns; m += kLanes) {
      const int lanes = lanesLeft(column + columns, m);
      F32x16 sum = fresh ? zeros() : loadLanes(sums + m, lanes);
      F32x16 largest = fresh ? broadcast(-__builtin_inff()) : loadLanes(maxima + m, lanes);
      const F32x16 offset = loadLanes(chunk.offsets + m, lanes);
      for (int i = 0; i < rows; ++i) {
        const F32x16 z = load(tile + i * tileStride + (m - column));
        const F32x16 power = exponential(z - offset);
        sum = sum + power;
        largest = maximum(z, largest);
        if (e != nullptr) storeLanes(e + (row + i) * chunk.stride + m, power, lanes);
      }
      storeLanes(sums + m, sum, lanes);
      storeLanes(maxima + m, largest, lanes);
    }
    for (int64_t m = column; m < column + columns; ++m) {
      const int64_t target = targets[m] - v;
      if (target >= 0 && target < rows) chunk.targetLogits[m] = tile[target * tileStride + (m - column)];
    }
  }
};

// e for all of the vocabulary, and dx up to its scale, slab by slab.
template <class T>
cria_status visitVocabulary(cria_context* context, const Head<T>& head, const Chunk<T>& chunk) {
  const T* x = head.x + chunk.first * head.width;
  const bool keepsE = head.dw != nullptr;
  for (int64_t v = 0; v < head.vocabulary; v += kSlab) {
    const int64_t count = smaller(kSlab, head.vocabulary - v);
    const Operand<T> wRows{head.w + v * head.width, head.width, true};
    T* e = chunk.e + (keepsE ? v * chunk.stride : 0);
    const StoreExponentials<T> store{chunk, head.targets + chunk.first, v, keepsE || head.dx != nullptr ? e : nullptr};
    const Product<T> logits{wRows, {x, head.width, true}, count, chunk.rows, head.width};
    cria_status status = multiply(context, logits, store);
    if (status != CRIA_OK || head.dx == nullptr) {
      if (status != CRIA_OK) return status;
      continue;
    }
    const Product<T> input{{e, chunk.stride, false}, {wRows.data, head.width, false}, chunk.rows, head.width, count};
    float* dx = head.dx + chunk.first * head.width;
    status = multiply(context, input, StoreF32{dx, head.width, v > 0});
    if (status != CRIA_OK) return status;
  }
  return CRIA_OK;
}

// Z of every row: the blocks' sums in ascending order.
template <class T>
void sumBlocks(cria_context* context, const Head<T>& head, const Chunk<T>& chunk) {
  constexpr int64_t kColumns = 64;
  const int64_t blocks = ceilDivide(head.vocabulary, kSumBlock);
  forEach(context, ceilDivide(chunk.rows, kColumns), [&](int64_t task, int) {
    const int64_t from = task * kColumns;
    const int64_t to = smaller(from + kColumns, chunk.rows);
    for (int64_t m = from; m < to; ++m) chunk.totals[m] = 0.0;
    for (int64_t block = 0; block < blocks; ++block) {
      for (int64_t m = from; m < to; ++m) chunk.totals[m] += static_cast<double>(chunk.sums[block * chunk.stride + m]);
    }
  });
}

template <class T>
float rowMaximum(const Head<T>& head, const Chunk<T>& chunk, int64_t m) {
  float largest = -__builtin_inff();
  const int64_t blocks = ceilDivide(head.vocabulary, kSumBlock);
  for (int64_t block = 0; block < blocks; ++block) {
    const float one = chunk.maxima[block * chunk.stride + m];
    largest = one > largest ? one : largest;
  }
  return largest;
}

// Losses and scales; says whether some row's logits ask for an offset, which is then set.
template <class T>
bool closeRows(cria_context* context, const Head<T>& head, const Chunk<T>& chunk) {
  bool again = false;
  sumBlocks(context, head, chunk);
  for (int64_t m = 0; m < chunk.rows; ++m) {
    const double sum = chunk.totals[m];
    if (!(sum > kLeastSum && sum < kLargestSum) && chunk.offsets[m] == 0.0f) {
      const float largest = rowMaximum(head, chunk, m);
      if (largest != 0.0f && largest - largest == 0.0f) {  // finite
        chunk.offsets[m] = largest;
        again = true;
      }
    }
    const double logits = static_cast<double>(chunk.offsets[m]) - static_cast<double>(chunk.targetLogits[m]);
    head.losses[chunk.first + m] = static_cast<float>(logits + naturalLogarithm(sum));
    chunk.scales[m] = static_cast<float>(1.0 / (sum * static_cast<double>(head.rows)));
  }
  return again;
}

// scaled[m] = s[m] x[m]; dx[m] = s[m] dx[m] - w[target] / M.
template <class T>
void scaleRows(cria_context* context, const Head<T>& head, const Chunk<T>& chunk) {
  const F32x16 share = broadcast(1.0f / static_cast<float>(head.rows));
  forEach(context, chunk.stride, [&](int64_t m, int) {
    const bool real = m < chunk.rows;
    const int64_t row = chunk.first + m;
    const F32x16 scale = broadcast(real ? chunk.scales[m] : 0.0f);
    for (int64_t j = 0; j < head.width; j += kLanes) {
      const int lanes = lanesLeft(head.width, j);
      const F32x16 x = real ? loadLanes(head.x + row * head.width + j, lanes) : zeros();
      storeLanes(chunk.scaled + m * head.width + j, x * scale, lanes);
      if (!real || head.dx == nullptr) continue;
      float* dx = head.dx + row * head.width + j;
      const F32x16 target = loadLanes(head.w + head.targets[row] * head.width + j, lanes);
      storeLanes(dx, subtractProduct(loadLanes(dx, lanes) * scale, target, share), lanes);
    }
  });
}

// dw (+)= e (s x).
template <class T>
cria_status weightGradient(cria_context* context, const Head<T>& head, const Chunk<T>& chunk) {
  if (chunk.stride > chunk.rows) {  // the padding of the last pair
    for (int64_t v = 0; v < head.vocabulary; ++v) chunk.e[v * chunk.stride + chunk.rows] = T{};
  }
  const Product<T> product{{chunk.e, chunk.stride, true},
                           {chunk.scaled, head.width, false},
                           head.vocabulary,
                           head.width,
                           chunk.stride};
  return multiply(context, product, StoreF32{head.dw, head.width, head.accumulate || chunk.first > 0});
}

// dw[target] -= x / M for ascending rows; threads share the columns.
template <class T>
void subtractTargets(cria_context* context, const Head<T>& head) {
  constexpr int64_t kColumns = 64;
  const F32x16 share = broadcast(1.0f / static_cast<float>(head.rows));
  forEach(context, ceilDivide(head.width, kColumns), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kColumns, head.width);
    for (int64_t row = 0; row < head.rows; ++row) {
      float* dw = head.dw + head.targets[row] * head.width;
      for (int64_t j = task * kColumns; j < to; j += kLanes) {
        const int lanes = lanesLeft(to, j);
        const F32x16 x = loadLanes(head.x + row * head.width + j, lanes);
        storeLanes(dw + j, subtractProduct(loadLanes(dw + j, lanes), x, share), lanes);
      }
    }
  });
}

template <class T>
bool allocate(cria_context* context, const Head<T>& head, Chunk<T>& chunk) {
  const int64_t sumBlocks = ceilDivide(head.vocabulary, kSumBlock);
  const int64_t eRows = head.dw != nullptr ? head.vocabulary : smaller(kSlab, head.vocabulary);
  chunk.e = static_cast<T*>(workspace(context, Workspace::headScores, sizeof(T) * eRows * chunk.stride));
  chunk.sums = static_cast<float*>(
      workspace(context, Workspace::headSums, sizeof(float) * chunk.stride * (2 * sumBlocks + 5)));
  chunk.scaled = static_cast<T*>(workspace(context, Workspace::rowVector, sizeof(T) * chunk.stride * head.width));
  if (chunk.e == nullptr || chunk.sums == nullptr || chunk.scaled == nullptr) return false;
  chunk.totals = reinterpret_cast<double*>(chunk.sums);
  chunk.sums += 2 * chunk.stride;
  chunk.maxima = chunk.sums + chunk.stride * sumBlocks;
  chunk.offsets = chunk.maxima + chunk.stride * sumBlocks;
  chunk.targetLogits = chunk.offsets + chunk.stride;
  chunk.scales = chunk.targetLogits + chunk.stride;
  return true;
}

template <class T>
cria_status visitChunk(cria_context* context, const Head<T>& head, Chunk<T>& chunk) {
  for (int64_t m = 0; m < chunk.stride; ++m) chunk.offsets[m] = 0.0f;
  cria_status status = visitVocabulary(context, head, chunk);
  if (status == CRIA_OK && closeRows(context, head, chunk)) {
    status = visitVocabulary(context, head, chunk);
    closeRows(context, head, chunk);
  }
  if (status != CRIA_OK) return status;
  if (head.dx != nullptr || head.dw != nullptr) scaleRows(context, head, chunk);
  return head.dw == nullptr ? CRIA_OK : weightGradient(context, head, chunk);
}

template <class T>
cria_status headLoss(cria_context* context, const Head<T>& head) {
  for (int64_t row = 0; row < head.rows; ++row) {
    if (head.targets[row] < 0 || head.targets[row] >= head.vocabulary) return CRIA_BAD_TOKEN;
  }
  for (int64_t first = 0; first < head.rows; first += kChunkRows) {
    Chunk<T> chunk{};
    chunk.first = first;
    chunk.rows = smaller(kChunkRows, head.rows - first);
    chunk.stride = ceilDivide(chunk.rows, 2) * 2;
    if (!allocate(context, head, chunk)) return CRIA_OUT_OF_MEMORY;
    const cria_status status = visitChunk(context, head, chunk);
    if (status != CRIA_OK) return status;
  }
  if (head.dw != nullptr) subtractTargets(context, head);
  return CRIA_OK;
}

}  // namespace

cria_status head_loss(cria_context* context, float* losses, float* dx, float* dw, const void* x, const void* w,
                      const int32_t* targets, int64_t rows, int64_t width, int64_t vocabulary, int accumulate,
                      cria_dtype operands) {
  const FloatingPointMode mode(kFlushDenormals);
  if (operands == CRIA_BF16) {
    return headLoss(context, Head<Bf16>{losses, dx, dw, static_cast<const Bf16*>(x), static_cast<const Bf16*>(w),
                                        targets, rows, width, vocabulary, accumulate != 0});
  }
  return headLoss(context, Head<float>{losses, dx, dw, static_cast<const float*>(x), static_cast<const float*>(w),
                                       targets, rows, width, vocabulary, accumulate != 0});
}

}  // namespace cria::CRIA_ISA
