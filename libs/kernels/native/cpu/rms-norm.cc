// RMSNorm (Zhang & Sennrich, 2019): y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps).
//
// The weight's gradient sums over rows: in ascending order inside blocks of kRowBlock rows, then the blocks' sums in
// ascending order. kRowBlock is part of the arithmetic.
#include "floating-point-mode.h"
#include "for-each.h"
#include "context.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kRowBlock = 32;

float reciprocalRms(const float* x, int64_t width, float eps) {
  F32x16 squares = zeros();
  for (int64_t j = 0; j < width; j += kLanes) {
    const F32x16 xj = loadLanes(x + j, lanesLeft(width, j));
    squares = multiplyAdd(xj, xj, squares);
  }
  const F32x16 mean = broadcast(sumLanes(squares)) / broadcast(static_cast<float>(width));
  return sumLanes(keepFirst(broadcast(1.0f) / squareRoot(mean + broadcast(eps)), 1));
}

template <class T>
void forwardRow(T* y, const float* x, const float* weight, float rstd, int64_t width) {
  for (int64_t j = 0; j < width; j += kLanes) {
    const int lanes = lanesLeft(width, j);
    storeLanes(y + j, loadLanes(x + j, lanes) * broadcast(rstd) * loadLanes(weight + j, lanes), lanes);
  }
}

template <class T>
cria_status forward(cria_context* context, T* y, float* rstd, const float* x, const float* weight, int64_t rows,
                    int64_t width, float eps) {
  forEach(context, ceilDivide(rows, kRowBlock), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kRowBlock, rows);
    for (int64_t row = task * kRowBlock; row < to; ++row) {
      rstd[row] = reciprocalRms(x + row * width, width, eps);
      forwardRow(y + row * width, x + row * width, weight, rstd[row], width);
    }
  });
  return CRIA_OK;
}

struct BackwardRow {
  float* dx;
  Bf16* dxLow;
  float* dweight;
  const float* residualGradient;
  const float* dy;
  const float* x;
  const float* weight;
  float rstd;
};

// With g = dy * weight: dx = rstd * g - x * rstd^3 / width * sum(g * x); dweight += dy * x * rstd.
void backwardRow(const BackwardRow& row, int64_t width) {
  F32x16 products = zeros();
  for (int64_t j = 0; j < width; j += kLanes) {
    const int lanes = lanesLeft(width, j);
    const F32x16 g = loadLanes(row.dy + j, lanes) * loadLanes(row.weight + j, lanes);
    products = multiplyAdd(g, loadLanes(row.x + j, lanes), products);
  }
  const F32x16 rstd = broadcast(row.rstd);
  const F32x16 cube = rstd * rstd * rstd;
  const F32x16 projection = broadcast(sumLanes(products)) * cube / broadcast(static_cast<float>(width));
  for (int64_t j = 0; j < width; j += kLanes) {
    const int lanes = lanesLeft(width, j);
    const F32x16 dy = loadLanes(row.dy + j, lanes);
    const F32x16 x = loadLanes(row.x + j, lanes);
    const F32x16 through = subtractProduct(dy * loadLanes(row.weight + j, lanes) * rstd, projection, x);
    const F32x16 dx =
        row.residualGradient == nullptr ? through : loadLanes(row.residualGradient + j, lanes) + through;
    storeLanes(row.dx + j, dx, lanes);
    if (row.dxLow != nullptr) storeLanes(row.dxLow + j, dx, lanes);
    storeLanes(row.dweight + j, multiplyAdd(dy * x, rstd, loadLanes(row.dweight + j, lanes)), lanes);
  }
}

}  // namespace

cria_status rms_norm_forward(cria_context* context, void* y, float* rstd, const float* x, const float* weight,
                             int64_t rows, int64_t width, float eps, cria_dtype result) {
  const FloatingPointMode mode(kFlushDenormals);
  if (result == CRIA_BF16) return forward(context, static_cast<Bf16*>(y), rstd, x, weight, rows, width, eps);
  return forward(context, static_cast<float*>(y), rstd, x, weight, rows, width, eps);
}

cria_status rms_norm_backward(cria_context* context, float* dx, uint16_t* dxLow, float* dweight, const float* rstd,
                              const float* residualGradient, const float* dy, const float* x, const float* weight,
                              int64_t rows, int64_t width) {
  const FloatingPointMode mode(kFlushDenormals);
  const int64_t blocks = ceilDivide(rows, kRowBlock);
  auto* partials = static_cast<float*>(workspace(context, Workspace::partials, sizeof(float) * (blocks * width + 1)));
  if (partials == nullptr) return CRIA_OUT_OF_MEMORY;
  forEach(context, blocks, [&](int64_t block, int) {
    float* partial = partials + block * width;
    __builtin_memset(partial, 0, sizeof(float) * width);
    const int64_t to = smaller((block + 1) * kRowBlock, rows);
    for (int64_t row = block * kRowBlock; row < to; ++row) {
      const int64_t at = row * width;
      Bf16* low = dxLow == nullptr ? nullptr : reinterpret_cast<Bf16*>(dxLow) + at;
      const float* residual = residualGradient == nullptr ? nullptr : residualGradient + at;
      backwardRow({dx + at, low, partial, residual, dy + at, x + at, weight, rstd[row]}, width);
    }
  });
  for (int64_t j = 0; j < width; j += kLanes) {
    const int lanes = lanesLeft(width, j);
    F32x16 sum = zeros();
    for (int64_t block = 0; block < blocks; ++block) sum = sum + loadLanes(partials + block * width + j, lanes);
    storeLanes(dweight + j, sum, lanes);
  }
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
