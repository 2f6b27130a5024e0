// Reads the arguments of one call and checks every buffer against the size that the call is going to touch. Each
// failure is a RangeError that names the function and the argument: a mistake of the caller, not of its data.
#pragma once

#include <napi.h>

#include <initializer_list>

#include "../native/include/cria_kernels.h"
#include "memory.h"

namespace cria::binding {

class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const Memory& memory, const char* function)
      : info_(info), memory_(memory), function_(function) {}

  // A whole number from 0 to 2^53.
  int64_t size(size_t index) const;
  double number(size_t index) const;
  float single(size_t index) const { return static_cast<float>(number(index)); }
  bool flag(size_t index) const { return info_[index].ToBoolean().Value(); }
  cria_dtype dtype(size_t index) const;

  // `count` elements at an address or in a typed array. `count` is a product of sizes; nothing is read or written.
  template <class T>
  T* array(size_t index, std::initializer_list<int64_t> count) const {
    return static_cast<T*>(bytes(index, sizeof(T), count));
  }
  void* array(size_t index, std::initializer_list<int64_t> count, cria_dtype dtype) const {
    return bytes(index, dtype == CRIA_BF16 ? 2 : 4, count);
  }
  // The same, or null for null and undefined.
  template <class T>
  T* arrayOrNull(size_t index, std::initializer_list<int64_t> count) const {
    return isMissing(index) ? nullptr : array<T>(index, count);
  }

  // A typed array, all of it.
  Span wholeArray(size_t index) const;

  Napi::Env env() const { return info_.Env(); }
  const Napi::CallbackInfo& info() const { return info_; }

 private:
  bool isMissing(size_t index) const { return info_[index].IsNull() || info_[index].IsUndefined(); }
  void* bytes(size_t index, uint64_t elementBytes, std::initializer_list<int64_t> count) const;
  [[noreturn]] void fail(size_t index, const std::string& what) const;

  const Napi::CallbackInfo& info_;
  const Memory& memory_;
  const char* function_;
};

}  // namespace cria::binding
