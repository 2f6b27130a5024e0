/* The C ABI of Cria's kernels. The CPU library implements it; a CUDA library will implement the same table with the
 * same names and argument order: outputs, saved activations, inputs, sizes. It knows mathematics and no training, and
 * neither Node nor exceptions.
 *
 * Two things a reader would otherwise get wrong:
 *  - Every element of a matrix product is ONE chain of fused multiply-adds over k in ascending order (bf16: the odd
 *    element of each pair before the even one, as `vdpbf16ps` does). Row sums are 16 lanes and a fixed tree. There is
 *    no libm. So neither thread count nor tiling nor instruction set can change a bit of any result.
 *  - A matrix is row-major and dense: [rows, columns] has stride `columns`. Weights are [outFeatures, inFeatures].
 *
 * Sizes are elements unless a name says bytes. Buffers need the alignment of their element type. Outputs must not
 * overlap inputs unless a function says that they may. Functions return CRIA_OK or the reason why they did nothing.
 */
#ifndef CRIA_KERNELS_H
#define CRIA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { CRIA_F32 = 0, CRIA_BF16 = 1 } cria_dtype;

typedef enum {
  CRIA_OK = 0,
  CRIA_OUT_OF_MEMORY = 1,
  /* Packed bytes that are not what their table says. */
  CRIA_MALFORMED = 2,
  /* A token id that is not below the vocabulary's size. */
  CRIA_BAD_TOKEN = 3
} cria_status;

/* Threads and scratch memory; used by one thread at a time. */
typedef struct cria_context cria_context;

typedef struct {
  float beta1, beta2, one_minus_beta1, one_minus_beta2, eps;
  float weight_decay_factor, step_size, inverse_sqrt_bias_correction2, clip;
} cria_adamw_scalars;

/* Blocks of 256 in a part, the range of which one digest is kept (PART_SIZE of libs/kernels/src/grid.ts). */
#define CRIA_BLOCKS_PER_PART 4096

/* Integers on the grid: per block of 256 either int32 in `small_values` or exact integers in `wide_values`. */
typedef struct {
  int32_t* small_values;
  double* wide_values;
  uint8_t* is_wide;
} cria_accumulator;

/* Sizes of attention. Query i of `queries` stands at position keys - queries + i and sees the keys up to it. */
typedef struct {
  int64_t batch, queries, keys, heads, kv_heads, head_dim;
} cria_attention_sizes;

typedef struct cria_kernels {
  /* -- matrix products ------------------------------------------------------------------------------------------ */

  /* y[rows, out] = x[rows, in] w[out, in]^T (+ residual[rows, out] when not null; y is f32 then). x and w have dtype
   * `operands`, y has dtype `result`. */
  cria_status (*linear_forward)(cria_context*, void* y, const void* x, const void* w, const float* residual,
                                int64_t rows, int64_t out, int64_t in, cria_dtype operands, cria_dtype result);

  /* dx[rows, in] = dy[rows, out] w[out, in]. With `accumulate` (f32 results only) the chain goes on from dx. */
  cria_status (*linear_backward_input)(cria_context*, void* dx, const void* dy, const void* w, int64_t rows,
                                       int64_t out, int64_t in, int accumulate, cria_dtype operands,
                                       cria_dtype result);

  /* dw[out, in] = dy[rows, out]^T x[rows, in], f32. With `accumulate` the chain goes on from dw. */
  cria_status (*linear_backward_weight)(cria_context*, float* dw, const void* dy, const void* x, int64_t rows,
                                        int64_t out, int64_t in, int accumulate, cria_dtype operands);

  /* -- the model's other layers --------------------------------------------------------------------------------- */

  /* y[rows, width] = table[tokens[row]], y f32; the table has dtype `stored`. */
  cria_status (*embedding_forward)(cria_context*, float* y, const int32_t* tokens, const void* table, int64_t rows,
                                   int64_t width, int64_t vocabulary, cria_dtype stored);

  /* dtable[tokens[row]] += dy[row] for ascending rows. */
  cria_status (*embedding_backward)(cria_context*, float* dtable, const float* dy, const int32_t* tokens,
                                    int64_t rows, int64_t width, int64_t vocabulary);

  /* y = x * rstd * weight with rstd[row] = 1 / sqrt(mean(x^2) + eps); x, weight and rstd f32. */
  cria_status (*rms_norm_forward)(cria_context*, void* y, float* rstd, const float* x, const float* weight,
                                  int64_t rows, int64_t width, float eps, cria_dtype result);

  /* dx = residual_gradient + (gradient through the norm); dx may be residual_gradient. `dx_low` (may be null) gets
   * the same in bf16. dweight[width] is overwritten. All f32 but dx_low; residual_gradient may be null. */
  cria_status (*rms_norm_backward)(cria_context*, float* dx, uint16_t* dx_low, float* dweight, const float* rstd,
                                   const float* residual_gradient, const float* dy, const float* x,
                                   const float* weight, int64_t rows, int64_t width);

  /* In place on x[rows, heads, head_dim]: half-split rotation; row r has position first + r % length. cosines and
   * sines [positions, head_dim / 2] belong to the caller. `inverse` turns the other way: the backward pass. */
  cria_status (*rotary)(cria_context*, void* x, const float* cosines, const float* sines, int64_t rows,
                        int64_t length, int64_t first, int64_t heads, int64_t head_dim, int inverse, cria_dtype);

  /* out[batch, queries, heads, head_dim], lse[batch, heads, queries] (f32, natural logarithm of the sum of the
   * exponentials of the scaled scores). q like out; k, v [batch, keys, kv_heads, head_dim]. */
  cria_status (*attention_forward)(cria_context*, void* out, float* lse, const void* q, const void* k, const void* v,
                                   cria_attention_sizes, cria_dtype);

  /* queries = keys. dq like q; dk, dv like k. */
  cria_status (*attention_backward)(cria_context*, void* dq, void* dk, void* dv, const void* out, const float* lse,
                                    const void* dout, const void* q, const void* k, const void* v,
                                    cria_attention_sizes, cria_dtype);

  /* y = silu(gate) * up. */
  cria_status (*swiglu_forward)(cria_context*, void* y, const void* gate, const void* up, int64_t count, cria_dtype);

  /* dgate and dup may be dy, gate or up. */
  cria_status (*swiglu_backward)(cria_context*, void* dgate, void* dup, const void* dy, const void* gate,
                                 const void* up, int64_t count, cria_dtype);

  /* Output head and mean cross-entropy in one: losses[rows] (f32, nats). dx[rows, width] (f32) is overwritten,
   * dw[vocabulary, width] (f32) too, or added to when `accumulate`; both may be null: loss only. The logits are
   * visited in chunks of rows and never stored whole. x and w have dtype `operands`. */
  cria_status (*head_loss)(cria_context*, float* losses, float* dx, float* dw, const void* x, const void* w,
                           const int32_t* targets, int64_t rows, int64_t width, int64_t vocabulary, int accumulate,
                           cria_dtype operands);

  /* -- conversion ------------------------------------------------------------------------------------------------ */

  cria_status (*f32_to_bf16)(cria_context*, uint16_t* out, const float* values, int64_t count);
  cria_status (*bf16_to_f32)(cria_context*, float* out, const uint16_t* values, int64_t count);

  /* -- the exact sum (offsets in blocks of 256; libs/kernels/src/kernels.ts says what is computed) ---------------- */

  cria_status (*accumulate_gradient)(cria_context*, cria_accumulator at_gradient, uint64_t* digests, int* flagged,
                                     const float* gradient, int64_t count, int64_t flat_block, int grid_bits);
  cria_status (*accumulator_digest)(cria_context*, uint64_t* digest, cria_accumulator, int64_t blocks,
                                    int64_t flat_block);
  cria_status (*digest_words)(cria_context*, uint64_t* digest, const uint32_t* words, int64_t count,
                              int64_t flat_block);
  /* Widths of all blocks, and the payload's size. */
  cria_status (*pack_widths)(cria_context*, uint8_t* widths, int64_t* payload_bytes, cria_accumulator,
                             int64_t blocks);
  cria_status (*pack)(cria_context*, uint8_t* payload, const uint8_t* widths, cria_accumulator, int64_t blocks);
  cria_status (*unpack_add)(cria_context*, cria_accumulator, uint64_t* digest, const uint8_t* packed,
                            int64_t packed_bytes, int64_t blocks, int64_t flat_block);
  cria_status (*packed_digest)(cria_context*, uint64_t* digest, const uint8_t* packed, int64_t packed_bytes,
                               int64_t blocks, int64_t flat_block);
  cria_status (*unpack_mean)(cria_context*, float* out, const uint8_t* packed, int64_t packed_bytes, int64_t blocks,
                             double scale);

  /* -- the optimizer ---------------------------------------------------------------------------------------------- */

  /* chunks[i] = sum of squares of values[4096 i, ...), f64, 16 lanes and a tree. */
  cria_status (*square_sum)(cria_context*, double* chunks, const float* values, int64_t count);
  cria_status (*adamw_update)(cria_context*, float* params, float* exp_avg, float* exp_avg_sq, const float* gradient,
                              int64_t count, int decay, cria_adamw_scalars);

  cria_status (*crc32c)(cria_context*, uint32_t* crc, const uint8_t* bytes, int64_t count);

  /* -- measuring -------------------------------------------------------------------------------------------------- */

  /* Multiply-adds per second (times two: FLOP/s) of registers alone on all threads, for about `milliseconds`. */
  cria_status (*peak_flops)(cria_context*, double* flops, double milliseconds, cria_dtype);
} cria_kernels;

/* Names of the instruction sets that this CPU can run and whose self-test gives the known hash, best first; ends with
 * null. Computed once per process. */
const char* const* cria_instruction_sets(void);

/* The kernels of an instruction set from the list above, or null. */
const cria_kernels* cria_kernels_for(const char* instruction_set);

/* What the self-test of an instruction set hashes to (0: this CPU cannot run it), and the hash it should have. */
uint64_t cria_self_test(const char* instruction_set);
uint64_t cria_self_test_expected(void);

/* `threads` counts the calling thread. Null when there is no memory. */
cria_context* cria_context_create(int threads);
void cria_context_destroy(cria_context*);

#ifdef __cplusplus
}
#endif

#endif
