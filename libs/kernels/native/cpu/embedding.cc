// Token ids to rows of the table, and their gradients back. The backward pass adds rows in ascending order: threads
// share the columns, never a sum.
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kRowsPerTask = 16;
constexpr int64_t kColumnsPerTask = 64;

bool allBelow(const int32_t* tokens, int64_t rows, int64_t vocabulary) {
  for (int64_t row = 0; row < rows; ++row) {
    if (tokens[row] < 0 || tokens[row] >= vocabulary) return false;
  }
  return true;
}

template <class T>
void lookUp(cria_context* context, float* y, const int32_t* tokens, const T* table, int64_t rows, int64_t width) {
  forEach(context, ceilDivide(rows, kRowsPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kRowsPerTask, rows);
    for (int64_t row = task * kRowsPerTask; row < to; ++row) {
      const T* source = table + tokens[row] * width;
      for (int64_t column = 0; column < width; column += kLanes) {
        const int lanes = lanesLeft(width, column);
        storeLanes(y + row * width + column, loadLanes(source + column, lanes), lanes);
      }
    }
  });
}

}  // namespace

cria_status embedding_forward(cria_context* context, float* y, const int32_t* tokens, const void* table, int64_t rows,
                              int64_t width, int64_t vocabulary, cria_dtype stored) {
  if (!allBelow(tokens, rows, vocabulary)) return CRIA_BAD_TOKEN;
  if (stored == CRIA_BF16) {
    lookUp(context, y, tokens, static_cast<const Bf16*>(table), rows, width);
  } else {
    lookUp(context, y, tokens, static_cast<const float*>(table), rows, width);
  }
  return CRIA_OK;
}

cria_status embedding_backward(cria_context* context, float* dtable, const float* dy, const int32_t* tokens,
                               int64_t rows, int64_t width, int64_t vocabulary) {
  const FloatingPointMode mode(kFlushDenormals);
  if (!allBelow(tokens, rows, vocabulary)) return CRIA_BAD_TOKEN;
  forEach(context, ceilDivide(width, kColumnsPerTask), [&](int64_t task, int) {
    const int64_t from = task * kColumnsPerTask;
    const int64_t to = smaller(from + kColumnsPerTask, width);
    for (int64_t row = 0; row < rows; ++row) {
      float* sum = dtable + tokens[row] * width;
      for (int64_t column = from; column < to; column += kLanes) {
        const int lanes = lanesLeft(to, column);
        storeLanes(sum + column, loadLanes(sum + column, lanes) + loadLanes(dy + row * width + column, lanes), lanes);
      }
    }
  });
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
