// The model's layers: every method takes the arguments of its function in cria_kernels.h in the same order, checks the
// buffers and throws when the status says so.
#include "native-context.h"

namespace cria::binding {

namespace {

cria_attention_sizes attentionSizes(const Arguments& a, size_t first) {
  const cria_attention_sizes sizes{a.size(first),     a.size(first + 1), a.size(first + 2),
                                   a.size(first + 3), a.size(first + 4), a.size(first + 5)};
  const bool fits = sizes.kv_heads > 0 && sizes.heads % sizes.kv_heads == 0 && sizes.keys >= sizes.queries;
  if (!fits) throw Napi::RangeError::New(a.env(), "attention: heads must be a multiple of kvHeads, keys >= queries");
  return sizes;
}

}  // namespace

void NativeContext::addModelMethods(Methods& methods) {
  methods.push_back(InstanceMethod<&NativeContext::linearForward>("linearForward"));
  methods.push_back(InstanceMethod<&NativeContext::linearBackwardInput>("linearBackwardInput"));
  methods.push_back(InstanceMethod<&NativeContext::linearBackwardWeight>("linearBackwardWeight"));
  methods.push_back(InstanceMethod<&NativeContext::embeddingForward>("embeddingForward"));
  methods.push_back(InstanceMethod<&NativeContext::embeddingBackward>("embeddingBackward"));
  methods.push_back(InstanceMethod<&NativeContext::rmsNormForward>("rmsNormForward"));
  methods.push_back(InstanceMethod<&NativeContext::rmsNormBackward>("rmsNormBackward"));
  methods.push_back(InstanceMethod<&NativeContext::rotary>("rotary"));
  methods.push_back(InstanceMethod<&NativeContext::attentionForward>("attentionForward"));
  methods.push_back(InstanceMethod<&NativeContext::attentionBackward>("attentionBackward"));
  methods.push_back(InstanceMethod<&NativeContext::swigluForward>("swigluForward"));
  methods.push_back(InstanceMethod<&NativeContext::swigluBackward>("swigluBackward"));
  methods.push_back(InstanceMethod<&NativeContext::headLoss>("headLoss"));
}

// (y; x, w, residual | null; rows, out, in, operands, result)
Napi::Value NativeContext::linearForward(Info info) {
  const Arguments a = open(info, "linearForward");
  const int64_t rows = a.size(4), out = a.size(5), in = a.size(6);
  const cria_dtype operands = a.dtype(7);
  const float* residual = a.arrayOrNull<float>(3, {rows, out});
  const cria_dtype result = residual != nullptr ? CRIA_F32 : a.dtype(8);
  return status(info, kernels_->linear_forward(context_, a.array(0, {rows, out}, result),
                                               a.array(1, {rows, in}, operands), a.array(2, {out, in}, operands),
                                               residual, rows, out, in, operands, result));
}

// (dx; dy, w; rows, out, in, accumulate, operands, result)
Napi::Value NativeContext::linearBackwardInput(Info info) {
  const Arguments a = open(info, "linearBackwardInput");
  const int64_t rows = a.size(3), out = a.size(4), in = a.size(5);
  const cria_dtype operands = a.dtype(7), result = a.dtype(8);
  return status(info, kernels_->linear_backward_input(context_, a.array(0, {rows, in}, result),
                                                      a.array(1, {rows, out}, operands),
                                                      a.array(2, {out, in}, operands), rows, out, in, a.flag(6),
                                                      operands, result));
}

// (dw; dy, x; rows, out, in, accumulate, operands)
Napi::Value NativeContext::linearBackwardWeight(Info info) {
  const Arguments a = open(info, "linearBackwardWeight");
  const int64_t rows = a.size(3), out = a.size(4), in = a.size(5);
  const cria_dtype operands = a.dtype(7);
  return status(info, kernels_->linear_backward_weight(context_, a.array<float>(0, {out, in}),
                                                       a.array(1, {rows, out}, operands),
                                                       a.array(2, {rows, in}, operands), rows, out, in, a.flag(6),
                                                       operands));
}

// (y; tokens, table; rows, width, vocabulary, stored)
Napi::Value NativeContext::embeddingForward(Info info) {
  const Arguments a = open(info, "embeddingForward");
  const int64_t rows = a.size(3), width = a.size(4), vocabulary = a.size(5);
  const cria_dtype stored = a.dtype(6);
  return status(info, kernels_->embedding_forward(context_, a.array<float>(0, {rows, width}),
                                                  a.array<int32_t>(1, {rows}),
                                                  a.array(2, {vocabulary, width}, stored), rows, width, vocabulary,
                                                  stored));
}

// (dtable; dy, tokens; rows, width, vocabulary)
Napi::Value NativeContext::embeddingBackward(Info info) {
  const Arguments a = open(info, "embeddingBackward");
  const int64_t rows = a.size(3), width = a.size(4), vocabulary = a.size(5);
  return status(info, kernels_->embedding_backward(context_, a.array<float>(0, {vocabulary, width}),
                                                   a.array<float>(1, {rows, width}), a.array<int32_t>(2, {rows}),
                                                   rows, width, vocabulary));
}

// (y, rstd; x, weight; rows, width, eps, result)
Napi::Value NativeContext::rmsNormForward(Info info) {
  const Arguments a = open(info, "rmsNormForward");
  const int64_t rows = a.size(4), width = a.size(5);
  const cria_dtype result = a.dtype(7);
  return status(info, kernels_->rms_norm_forward(context_, a.array(0, {rows, width}, result),
                                                 a.array<float>(1, {rows}), a.array<float>(2, {rows, width}),
                                                 a.array<float>(3, {width}), rows, width, a.single(6), result));
}

// (dx, dxLow | null, dweight; rstd; residualGradient | null, dy, x, weight; rows, width)
Napi::Value NativeContext::rmsNormBackward(Info info) {
  const Arguments a = open(info, "rmsNormBackward");
  const int64_t rows = a.size(8), width = a.size(9);
  return status(info,
                kernels_->rms_norm_backward(context_, a.array<float>(0, {rows, width}),
                                            a.arrayOrNull<uint16_t>(1, {rows, width}), a.array<float>(2, {width}),
                                            a.array<float>(3, {rows}), a.arrayOrNull<float>(4, {rows, width}),
                                            a.array<float>(5, {rows, width}), a.array<float>(6, {rows, width}),
                                            a.array<float>(7, {width}), rows, width));
}

// (x; cosines, sines; rows, length, first, heads, headDim, inverse, dtype)
Napi::Value NativeContext::rotary(Info info) {
  const Arguments a = open(info, "rotary");
  const int64_t rows = a.size(3), length = a.size(4), first = a.size(5), heads = a.size(6), headDim = a.size(7);
  const cria_dtype dtype = a.dtype(9);
  if (length == 0) throw Napi::RangeError::New(info.Env(), "rotary: the length is 0");
  return status(info, kernels_->rotary(context_, a.array(0, {rows, heads, headDim}, dtype),
                                       a.array<float>(1, {first + length, headDim / 2}),
                                       a.array<float>(2, {first + length, headDim / 2}), rows, length, first, heads,
                                       headDim, a.flag(8), dtype));
}

// (out, lse; q, k, v; batch, queries, keys, heads, kvHeads, headDim, dtype)
Napi::Value NativeContext::attentionForward(Info info) {
  const Arguments a = open(info, "attentionForward");
  const cria_attention_sizes s = attentionSizes(a, 5);
  const cria_dtype dtype = a.dtype(11);
  return status(info, kernels_->attention_forward(
                          context_, a.array(0, {s.batch, s.queries, s.heads, s.head_dim}, dtype),
                          a.array<float>(1, {s.batch, s.heads, s.queries}),
                          a.array(2, {s.batch, s.queries, s.heads, s.head_dim}, dtype),
                          a.array(3, {s.batch, s.keys, s.kv_heads, s.head_dim}, dtype),
                          a.array(4, {s.batch, s.keys, s.kv_heads, s.head_dim}, dtype), s, dtype));
}

// (dq, dk, dv; out, lse; dout, q, k, v; batch, queries, keys, heads, kvHeads, headDim, dtype)
Napi::Value NativeContext::attentionBackward(Info info) {
  const Arguments a = open(info, "attentionBackward");
  const cria_attention_sizes s = attentionSizes(a, 9);
  const cria_dtype dtype = a.dtype(15);
  if (s.queries != s.keys) throw Napi::RangeError::New(info.Env(), "attentionBackward: queries must equal keys");
  const auto queryLike = [&](size_t index) { return a.array(index, {s.batch, s.queries, s.heads, s.head_dim}, dtype); };
  const auto keyLike = [&](size_t index) { return a.array(index, {s.batch, s.keys, s.kv_heads, s.head_dim}, dtype); };
  return status(info, kernels_->attention_backward(context_, queryLike(0), keyLike(1), keyLike(2), queryLike(3),
                                                   a.array<float>(4, {s.batch, s.heads, s.queries}), queryLike(5),
                                                   queryLike(6), keyLike(7), keyLike(8), s, dtype));
}

// (y; gate, up; count, dtype)
Napi::Value NativeContext::swigluForward(Info info) {
  const Arguments a = open(info, "swigluForward");
  const int64_t count = a.size(3);
  const cria_dtype dtype = a.dtype(4);
  return status(info, kernels_->swiglu_forward(context_, a.array(0, {count}, dtype), a.array(1, {count}, dtype),
                                               a.array(2, {count}, dtype), count, dtype));
}

// (dgate, dup; dy, gate, up; count, dtype)
Napi::Value NativeContext::swigluBackward(Info info) {
  const Arguments a = open(info, "swigluBackward");
  const int64_t count = a.size(5);
  const cria_dtype dtype = a.dtype(6);
  return status(info, kernels_->swiglu_backward(context_, a.array(0, {count}, dtype), a.array(1, {count}, dtype),
                                                a.array(2, {count}, dtype), a.array(3, {count}, dtype),
                                                a.array(4, {count}, dtype), count, dtype));
}

// (losses, dx | null, dw | null; x, w, targets; rows, width, vocabulary, accumulate, operands)
Napi::Value NativeContext::headLoss(Info info) {
  const Arguments a = open(info, "headLoss");
  const int64_t rows = a.size(6), width = a.size(7), vocabulary = a.size(8);
  const cria_dtype operands = a.dtype(10);
  return status(info, kernels_->head_loss(context_, a.array<float>(0, {rows}), a.arrayOrNull<float>(1, {rows, width}),
                                          a.arrayOrNull<float>(2, {vocabulary, width}),
                                          a.array(3, {rows, width}, operands),
                                          a.array(4, {vocabulary, width}, operands), a.array<int32_t>(5, {rows}),
                                          rows, width, vocabulary, a.flag(9), operands));
}

}  // namespace cria::binding
