// The JavaScript class NativeContext: an instruction set's kernels, threads and memory.
#pragma once

#include <napi.h>

#include "arguments.h"

namespace cria::binding {

class NativeContext : public Napi::ObjectWrap<NativeContext> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit NativeContext(const Napi::CallbackInfo& info);
  ~NativeContext() override;

 private:
  using Info = const Napi::CallbackInfo&;
  using Methods = std::vector<Napi::ClassPropertyDescriptor<NativeContext>>;

  // One file each: lifecycle and memory, the model's layers, the exact sum and the optimizer.
  static void addMemoryMethods(Methods& methods);
  static void addModelMethods(Methods& methods);
  static void addExactSumMethods(Methods& methods);

  void dispose(Info info);
  Napi::Value allocate(Info info);
  Napi::Value attach(Info info);
  void release(Info info);
  void read(Info info);
  void write(Info info);
  void fillZero(Info info);
  Napi::Value peakFlops(Info info);

  Napi::Value linearForward(Info info);
  Napi::Value linearBackwardInput(Info info);
  Napi::Value linearBackwardWeight(Info info);
  Napi::Value embeddingForward(Info info);
  Napi::Value embeddingBackward(Info info);
  Napi::Value rmsNormForward(Info info);
  Napi::Value rmsNormBackward(Info info);
  Napi::Value rotary(Info info);
  Napi::Value attentionForward(Info info);
  Napi::Value attentionBackward(Info info);
  Napi::Value swigluForward(Info info);
  Napi::Value swigluBackward(Info info);
  Napi::Value headLoss(Info info);

  Napi::Value f32ToBf16(Info info);
  Napi::Value bf16ToF32(Info info);
  Napi::Value accumulateGradient(Info info);
  Napi::Value accumulatorDigest(Info info);
  Napi::Value digestWords(Info info);
  Napi::Value packWidths(Info info);
  Napi::Value pack(Info info);
  Napi::Value unpackAdd(Info info);
  Napi::Value packedDigest(Info info);
  Napi::Value unpackMean(Info info);
  Napi::Value squareSum(Info info);
  Napi::Value adamwUpdate(Info info);
  Napi::Value crc32c(Info info);

  // The arguments of a call; throws when the context was disposed of.
  Arguments open(Info info, const char* function) const;
  // Undefined, or an Error whose `code` names the status.
  Napi::Value status(Info info, cria_status status) const;

  const cria_kernels* kernels_ = nullptr;
  cria_context* context_ = nullptr;
  Memory memory_;
};

}  // namespace cria::binding
