// The exact sum, the optimizer and conversion. Digests are written to a BigUint64Array of one element.
#include "native-context.h"

namespace cria::binding {

namespace {

constexpr int64_t kBlock = 256;

// (small, wide, isWide) from argument `first` on.
cria_accumulator accumulator(const Arguments& a, size_t first, int64_t blocks) {
  return {a.array<int32_t>(first, {blocks, kBlock}), a.array<double>(first + 1, {blocks, kBlock}),
          a.array<uint8_t>(first + 2, {blocks})};
}

cria_adamw_scalars adamwScalars(const Arguments& a, size_t index) {
  const float* s = a.array<float>(index, {9});
  return {s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]};
}

}  // namespace

void NativeContext::addExactSumMethods(Methods& methods) {
  methods.push_back(InstanceMethod<&NativeContext::f32ToBf16>("f32ToBf16"));
  methods.push_back(InstanceMethod<&NativeContext::bf16ToF32>("bf16ToF32"));
  methods.push_back(InstanceMethod<&NativeContext::accumulateGradient>("accumulateGradient"));
  methods.push_back(InstanceMethod<&NativeContext::accumulatorDigest>("accumulatorDigest"));
  methods.push_back(InstanceMethod<&NativeContext::digestWords>("digestWords"));
  methods.push_back(InstanceMethod<&NativeContext::packWidths>("packWidths"));
  methods.push_back(InstanceMethod<&NativeContext::pack>("pack"));
  methods.push_back(InstanceMethod<&NativeContext::unpackAdd>("unpackAdd"));
  methods.push_back(InstanceMethod<&NativeContext::packedDigest>("packedDigest"));
  methods.push_back(InstanceMethod<&NativeContext::unpackMean>("unpackMean"));
  methods.push_back(InstanceMethod<&NativeContext::squareSum>("squareSum"));
  methods.push_back(InstanceMethod<&NativeContext::adamwUpdate>("adamwUpdate"));
  methods.push_back(InstanceMethod<&NativeContext::crc32c>("crc32c"));
}

// (out; values; count)
Napi::Value NativeContext::f32ToBf16(Info info) {
  const Arguments a = open(info, "f32ToBf16");
  const int64_t count = a.size(2);
  return status(info,
                kernels_->f32_to_bf16(context_, a.array<uint16_t>(0, {count}), a.array<float>(1, {count}), count));
}

// (out; values; count)
Napi::Value NativeContext::bf16ToF32(Info info) {
  const Arguments a = open(info, "bf16ToF32");
  const int64_t count = a.size(2);
  return status(info,
                kernels_->bf16_to_f32(context_, a.array<float>(0, {count}), a.array<uint16_t>(1, {count}), count));
}

// (small, wide, isWide at the gradient's first block, digests; gradient; count, flatBlock, gridBits) -> flagged
Napi::Value NativeContext::accumulateGradient(Info info) {
  const Arguments a = open(info, "accumulateGradient");
  const int64_t count = a.size(5), flatBlock = a.size(6);
  const int64_t blocks = (count + kBlock - 1) / kBlock;
  const int64_t parts = (flatBlock + blocks + CRIA_BLOCKS_PER_PART - 1) / CRIA_BLOCKS_PER_PART;
  int flagged = 0;
  status(info, kernels_->accumulate_gradient(context_, accumulator(a, 0, blocks), a.array<uint64_t>(3, {parts}),
                                             &flagged, a.array<float>(4, {count}), count, flatBlock,
                                             static_cast<int>(a.size(7))));
  return Napi::Boolean::New(info.Env(), flagged != 0);
}

// (digest; small, wide, isWide; blocks, flatBlock)
Napi::Value NativeContext::accumulatorDigest(Info info) {
  const Arguments a = open(info, "accumulatorDigest");
  const int64_t blocks = a.size(4);
  return status(info, kernels_->accumulator_digest(context_, a.array<uint64_t>(0, {1}), accumulator(a, 1, blocks),
                                                   blocks, a.size(5)));
}

// (digest; words; count, flatBlock)
Napi::Value NativeContext::digestWords(Info info) {
  const Arguments a = open(info, "digestWords");
  const int64_t count = a.size(2);
  return status(info, kernels_->digest_words(context_, a.array<uint64_t>(0, {1}), a.array<uint32_t>(1, {count}), count,
                                             a.size(3)));
}

// (widths; small, wide, isWide; blocks) -> payload bytes
Napi::Value NativeContext::packWidths(Info info) {
  const Arguments a = open(info, "packWidths");
  const int64_t blocks = a.size(4);
  int64_t payloadBytes = 0;
  kernels_->pack_widths(context_, a.array<uint8_t>(0, {blocks}), &payloadBytes, accumulator(a, 1, blocks), blocks);
  return Napi::Number::New(info.Env(), static_cast<double>(payloadBytes));
}

// (packed: widths, then room for the payload; small, wide, isWide; blocks, payload bytes as packWidths gave them)
Napi::Value NativeContext::pack(Info info) {
  const Arguments a = open(info, "pack");
  const int64_t blocks = a.size(4);
  uint8_t* packed = a.array<uint8_t>(0, {blocks + a.size(5)});
  return status(info, kernels_->pack(context_, packed + blocks, packed, accumulator(a, 1, blocks), blocks));
}

// (small, wide, isWide, digest; packed; blocks, flatBlock)
Napi::Value NativeContext::unpackAdd(Info info) {
  const Arguments a = open(info, "unpackAdd");
  const int64_t blocks = a.size(5);
  const Span packed = a.wholeArray(4);
  return status(info, kernels_->unpack_add(context_, accumulator(a, 0, blocks), a.array<uint64_t>(3, {1}), packed.data,
                                           static_cast<int64_t>(packed.sizeBytes), blocks, a.size(6)));
}

// (digest; packed; blocks, flatBlock)
Napi::Value NativeContext::packedDigest(Info info) {
  const Arguments a = open(info, "packedDigest");
  const Span packed = a.wholeArray(1);
  return status(info, kernels_->packed_digest(context_, a.array<uint64_t>(0, {1}), packed.data,
                                              static_cast<int64_t>(packed.sizeBytes), a.size(2), a.size(3)));
}

// (out; packed; blocks, scale)
Napi::Value NativeContext::unpackMean(Info info) {
  const Arguments a = open(info, "unpackMean");
  const int64_t blocks = a.size(2);
  const Span packed = a.wholeArray(1);
  return status(info, kernels_->unpack_mean(context_, a.array<float>(0, {blocks, kBlock}), packed.data,
                                            static_cast<int64_t>(packed.sizeBytes), blocks, a.number(3)));
}

// (chunks; values; count)
Napi::Value NativeContext::squareSum(Info info) {
  const Arguments a = open(info, "squareSum");
  const int64_t count = a.size(2);
  return status(info, kernels_->square_sum(context_, a.array<double>(0, {(count + 4095) / 4096}),
                                           a.array<float>(1, {count}), count));
}

// (params, expAvg, expAvgSq; gradient; count, decay, scalars: Float32Array(9) in the order of cria_adamw_scalars)
Napi::Value NativeContext::adamwUpdate(Info info) {
  const Arguments a = open(info, "adamwUpdate");
  const int64_t count = a.size(4);
  return status(info, kernels_->adamw_update(context_, a.array<float>(0, {count}), a.array<float>(1, {count}),
                                             a.array<float>(2, {count}), a.array<float>(3, {count}), count, a.flag(5),
                                             adamwScalars(a, 6)));
}

// (bytes; crc so far) -> crc
Napi::Value NativeContext::crc32c(Info info) {
  const Arguments a = open(info, "crc32c");
  const Span bytes = a.wholeArray(0);
  auto crc = static_cast<uint32_t>(a.size(1));
  kernels_->crc32c(context_, &crc, bytes.data, static_cast<int64_t>(bytes.sizeBytes));
  return Napi::Number::New(info.Env(), crc);
}

}  // namespace cria::binding
