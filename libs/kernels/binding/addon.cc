// The addon's entry: instruction sets and the class NativeContext.
#include <napi.h>

#include "native-context.h"

namespace {

// instructionSets() -> names of those that may be used here, best first
Napi::Value instructionSets(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const char* const* name = cria_instruction_sets(); *name != nullptr; ++name) {
    names.Set(names.Length(), Napi::String::New(info.Env(), *name));
  }
  return names;
}

// selfTest(name) -> the hash of an instruction set's self-test; 0n when this CPU cannot run it
Napi::Value selfTest(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), cria_self_test(info[0].ToString().Utf8Value().c_str()));
}

Napi::Value expectedSelfTest(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), cria_self_test_expected());
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("instructionSets", Napi::Function::New(env, instructionSets));
  exports.Set("selfTest", Napi::Function::New(env, selfTest));
  exports.Set("expectedSelfTest", Napi::Function::New(env, expectedSelfTest));
  exports.Set("NativeContext", cria::binding::NativeContext::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(cria_kernels, init)
