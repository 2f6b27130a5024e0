// f32 <-> bf16, elementwise.
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kPerTask = 1 << 16;

template <class To, class From>
cria_status convert(cria_context* context, To* out, const From* values, int64_t count) {
  forEach(context, ceilDivide(count, kPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kPerTask, count);
    for (int64_t at = task * kPerTask; at < to; at += kLanes) {
      const int lanes = lanesLeft(to, at);
      storeLanes(out + at, loadLanes(values + at, lanes), lanes);
    }
  });
  return CRIA_OK;
}

}  // namespace

cria_status f32_to_bf16(cria_context* context, uint16_t* out, const float* values, int64_t count) {
  return convert(context, reinterpret_cast<Bf16*>(out), values, count);
}

cria_status bf16_to_f32(cria_context* context, float* out, const uint16_t* values, int64_t count) {
  return convert(context, out, reinterpret_cast<const Bf16*>(values), count);
}

}  // namespace cria::CRIA_ISA
