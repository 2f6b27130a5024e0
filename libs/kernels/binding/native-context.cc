#include "native-context.h"

#include <cstring>

namespace cria::binding {

Napi::Function NativeContext::define(Napi::Env env) {
  Methods methods;
  addMemoryMethods(methods);
  addModelMethods(methods);
  addExactSumMethods(methods);
  return DefineClass(env, "NativeContext", methods);
}

// new NativeContext(instructionSet, threads)
NativeContext::NativeContext(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeContext>(info) {
  const std::string name = info[0].ToString().Utf8Value();
  kernels_ = cria_kernels_for(name.c_str());
  if (kernels_ == nullptr) throw Napi::RangeError::New(info.Env(), "instruction set not usable here: " + name);
  context_ = cria_context_create(info[1].ToNumber().Int32Value());
  if (context_ == nullptr) throw Napi::Error::New(info.Env(), "no memory or no threads for a native context");
}

NativeContext::~NativeContext() { cria_context_destroy(context_); }

void NativeContext::addMemoryMethods(Methods& methods) {
  methods.push_back(InstanceMethod<&NativeContext::dispose>("dispose"));
  methods.push_back(InstanceMethod<&NativeContext::allocate>("allocate"));
  methods.push_back(InstanceMethod<&NativeContext::attach>("attach"));
  methods.push_back(InstanceMethod<&NativeContext::release>("release"));
  methods.push_back(InstanceMethod<&NativeContext::read>("read"));
  methods.push_back(InstanceMethod<&NativeContext::write>("write"));
  methods.push_back(InstanceMethod<&NativeContext::fillZero>("fillZero"));
  methods.push_back(InstanceMethod<&NativeContext::peakFlops>("peakFlops"));
}

// Ends the threads now rather than at garbage collection.
void NativeContext::dispose(Info) {
  cria_context_destroy(context_);
  context_ = nullptr;
}

// allocate(sizeBytes) -> address, or null when there is no memory
Napi::Value NativeContext::allocate(Info info) {
  const std::optional<double> address = memory_.allocate(open(info, "allocate").size(0));
  return address ? Napi::Number::New(info.Env(), *address) : info.Env().Null();
}

// attach(typedArray) -> address
Napi::Value NativeContext::attach(Info info) { return Napi::Number::New(info.Env(), memory_.attach(info[0])); }

// release(address of a segment)
void NativeContext::release(Info info) { memory_.release(open(info, "release").number(0)); }

// read(out typed array, source)
void NativeContext::read(Info info) {
  const Arguments arguments = open(info, "read");
  const Span out = arguments.wholeArray(0);
  std::memcpy(out.data, arguments.array<uint8_t>(1, {static_cast<int64_t>(out.sizeBytes)}), out.sizeBytes);
}

// write(destination, source typed array)
void NativeContext::write(Info info) {
  const Arguments arguments = open(info, "write");
  const Span source = arguments.wholeArray(1);
  std::memcpy(arguments.array<uint8_t>(0, {static_cast<int64_t>(source.sizeBytes)}), source.data, source.sizeBytes);
}

// fillZero(destination, sizeBytes)
void NativeContext::fillZero(Info info) {
  const Arguments arguments = open(info, "fillZero");
  const int64_t sizeBytes = arguments.size(1);
  std::memset(arguments.array<uint8_t>(0, {sizeBytes}), 0, static_cast<size_t>(sizeBytes));
}

// peakFlops(milliseconds, dtype) -> FLOP/s of registers alone
Napi::Value NativeContext::peakFlops(Info info) {
  const Arguments arguments = open(info, "peakFlops");
  double flops = 0;
  kernels_->peak_flops(context_, &flops, arguments.number(0), arguments.dtype(1));
  return Napi::Number::New(info.Env(), flops);
}

Arguments NativeContext::open(Info info, const char* function) const {
  if (context_ == nullptr) throw Napi::Error::New(info.Env(), std::string(function) + ": the context was disposed of");
  return Arguments(info, memory_, function);
}

Napi::Value NativeContext::status(Info info, cria_status status) const {
  if (status == CRIA_OK) return info.Env().Undefined();
  const char* code = status == CRIA_OUT_OF_MEMORY ? "OUT_OF_MEMORY" : status == CRIA_MALFORMED ? "MALFORMED" : "BAD_TOKEN";
  Napi::Error error = Napi::Error::New(info.Env(), std::string("native kernel: ") + code);
  error.Value().Set("code", code);
  throw error;
}

}  // namespace cria::binding
