#include "arguments.h"

#include <string>

namespace cria::binding {

namespace {

constexpr double kLargestInteger = 9007199254740992.0;  // 2^53

}  // namespace

int64_t Arguments::size(size_t index) const {
  const double value = number(index);
  if (!(value >= 0 && value <= kLargestInteger) || value != static_cast<double>(static_cast<int64_t>(value))) {
    fail(index, "is not a whole number from 0 to 2^53");
  }
  return static_cast<int64_t>(value);
}

double Arguments::number(size_t index) const {
  if (!info_[index].IsNumber()) fail(index, "is not a number");
  return info_[index].As<Napi::Number>().DoubleValue();
}

cria_dtype Arguments::dtype(size_t index) const {
  const int64_t value = size(index);
  if (value != CRIA_F32 && value != CRIA_BF16) fail(index, "is not a dtype (0 = f32, 1 = bf16)");
  return static_cast<cria_dtype>(value);
}

Span Arguments::wholeArray(size_t index) const {
  const std::optional<Span> span = bytesOf(info_[index]);
  if (!span) fail(index, "is not a typed array");
  return *span;
}

void* Arguments::bytes(size_t index, uint64_t elementBytes, std::initializer_list<int64_t> count) const {
  double needed = static_cast<double>(elementBytes);
  for (const int64_t factor : count) needed *= static_cast<double>(factor);
  const bool isAddress = info_[index].IsNumber();
  const std::optional<Span> span = isAddress ? memory_.resolve(number(index)) : bytesOf(info_[index]);
  if (!span) fail(index, isAddress ? "is an address outside every segment" : "is neither an address nor a typed array");
  if (needed > static_cast<double>(span->sizeBytes)) {
    fail(index, "needs " + std::to_string(static_cast<uint64_t>(needed)) + " bytes, there are " +
                    std::to_string(span->sizeBytes));
  }
  if (reinterpret_cast<uintptr_t>(span->data) % elementBytes != 0) {
    fail(index, "is not aligned to " + std::to_string(elementBytes) + " bytes");
  }
  return span->data;
}

void Arguments::fail(size_t index, const std::string& what) const {
  throw Napi::RangeError::New(info_.Env(),
                              std::string(function_) + ": argument " + std::to_string(index) + " " + what);
}

}  // namespace cria::binding
