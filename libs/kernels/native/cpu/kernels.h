// The functions that every instruction set's table points to: the types are those of the table in cria_kernels.h.
#pragma once

#include "simd.h"

namespace cria::CRIA_ISA {

template <class Pointer>
struct FunctionOf;
template <class Result, class... Arguments>
struct FunctionOf<Result (*)(Arguments...)> {
  using Type = Result(Arguments...);
};

#define CRIA_DECLARE(name) FunctionOf<decltype(cria_kernels::name)>::Type name
CRIA_DECLARE(linear_forward);
CRIA_DECLARE(linear_backward_input);
CRIA_DECLARE(linear_backward_weight);
CRIA_DECLARE(embedding_forward);
CRIA_DECLARE(embedding_backward);
CRIA_DECLARE(rms_norm_forward);
CRIA_DECLARE(rms_norm_backward);
CRIA_DECLARE(rotary);
CRIA_DECLARE(attention_forward);
CRIA_DECLARE(attention_backward);
CRIA_DECLARE(swiglu_forward);
CRIA_DECLARE(swiglu_backward);
CRIA_DECLARE(head_loss);
CRIA_DECLARE(f32_to_bf16);
CRIA_DECLARE(bf16_to_f32);
CRIA_DECLARE(accumulate_gradient);
CRIA_DECLARE(accumulator_digest);
CRIA_DECLARE(digest_words);
CRIA_DECLARE(pack_widths);
CRIA_DECLARE(pack);
CRIA_DECLARE(unpack_add);
CRIA_DECLARE(packed_digest);
CRIA_DECLARE(unpack_mean);
CRIA_DECLARE(square_sum);
CRIA_DECLARE(adamw_update);
CRIA_DECLARE(crc32c);
CRIA_DECLARE(peak_flops);
#undef CRIA_DECLARE


}  // namespace cria::CRIA_ISA
