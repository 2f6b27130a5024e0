// The three products of a linear layer, y = x w^T.
#include "floating-point-mode.h"
#include "gemm.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

template <class T>
Operand<T> rowMajor(const void* data, int64_t stride, bool kIsContiguous) {
  return {static_cast<const T*>(data), stride, kIsContiguous};
}

template <class T>
cria_status forward(cria_context* context, void* y, const void* x, const void* w, const float* residual, int64_t rows,
                    int64_t out, int64_t in, cria_dtype result) {
  const Product<T> product{rowMajor<T>(x, in, true), rowMajor<T>(w, in, true), rows, out, in};
  if (residual != nullptr) return multiply(context, product, AddResidual{static_cast<float*>(y), residual, out});
  if (result == CRIA_BF16) return multiply(context, product, StoreBf16{static_cast<Bf16*>(y), out});
  return multiply(context, product, StoreF32{static_cast<float*>(y), out, false});
}

template <class T>
cria_status backwardInput(cria_context* context, void* dx, const void* dy, const void* w, int64_t rows, int64_t out,
                          int64_t in, int accumulate, cria_dtype result) {
  const Product<T> product{rowMajor<T>(dy, out, true), rowMajor<T>(w, in, false), rows, in, out};
  if (result == CRIA_BF16) return multiply(context, product, StoreBf16{static_cast<Bf16*>(dx), in});
  return multiply(context, product, StoreF32{static_cast<float*>(dx), in, accumulate != 0});
}

template <class T>
cria_status backwardWeight(cria_context* context, float* dw, const void* dy, const void* x, int64_t rows, int64_t out,
                           int64_t in, int accumulate) {
  const Product<T> product{rowMajor<T>(dy, out, false), rowMajor<T>(x, in, false), out, in, rows};
  return multiply(context, product, StoreF32{dw, in, accumulate != 0});
}

}  // namespace

cria_status linear_forward(cria_context* context, void* y, const void* x, const void* w, const float* residual,
                           int64_t rows, int64_t out, int64_t in, cria_dtype operands, cria_dtype result) {
  const FloatingPointMode mode(kFlushDenormals);
  if (operands == CRIA_BF16) return forward<Bf16>(context, y, x, w, residual, rows, out, in, result);
  return forward<float>(context, y, x, w, residual, rows, out, in, result);
}

cria_status linear_backward_input(cria_context* context, void* dx, const void* dy, const void* w, int64_t rows,
                                  int64_t out, int64_t in, int accumulate, cria_dtype operands, cria_dtype result) {
  const FloatingPointMode mode(kFlushDenormals);
  if (operands == CRIA_BF16) return backwardInput<Bf16>(context, dx, dy, w, rows, out, in, accumulate, result);
  return backwardInput<float>(context, dx, dy, w, rows, out, in, accumulate, result);
}

cria_status linear_backward_weight(cria_context* context, float* dw, const void* dy, const void* x, int64_t rows,
                                   int64_t out, int64_t in, int accumulate, cria_dtype operands) {
  const FloatingPointMode mode(kFlushDenormals);
  if (operands == CRIA_BF16) return backwardWeight<Bf16>(context, dw, dy, x, rows, out, in, accumulate);
  return backwardWeight<float>(context, dw, dy, x, rows, out, in, accumulate);
}

}  // namespace cria::CRIA_ISA
