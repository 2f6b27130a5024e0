// The table of one instruction set.
#include "kernels.h"

namespace cria::CRIA_ISA {

extern const cria_kernels kTable;

const cria_kernels kTable = {
    linear_forward,
    linear_backward_input,
    linear_backward_weight,
    embedding_forward,
    embedding_backward,
    rms_norm_forward,
    rms_norm_backward,
    rotary,
    attention_forward,
    attention_backward,
    swiglu_forward,
    swiglu_backward,
    head_loss,
    f32_to_bf16,
    bf16_to_f32,
    accumulate_gradient,
    accumulator_digest,
    digest_words,
    pack_widths,
    pack,
    unpack_add,
    packed_digest,
    unpack_mean,
    square_sum,
    adamw_update,
    crc32c,
    peak_flops,
};

}  // namespace cria::CRIA_ISA
