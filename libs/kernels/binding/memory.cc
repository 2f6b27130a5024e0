#include "memory.h"

#include <sys/mman.h>

#include <utility>

namespace cria::binding {

namespace {

constexpr double kSegmentSize = 1099511627776.0;  // 2^40

size_t bytesPerElement(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 1;
  }
}

}  // namespace

Memory::~Memory() {
  for (Segment& segment : segments_) {
    if (segment.isOwn) munmap(segment.span.data, segment.span.sizeBytes);
  }
}

std::optional<double> Memory::allocate(uint64_t sizeBytes) {
  // Pages are zero and cost nothing until they are touched.
  void* data = mmap(nullptr, sizeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return std::nullopt;
  Segment segment;
  segment.span = {static_cast<uint8_t*>(data), sizeBytes};
  segment.isOwn = true;
  return add(std::move(segment));
}

double Memory::attach(const Napi::Value& array) {
  const std::optional<Span> span = bytesOf(array);
  if (!span) throw Napi::TypeError::New(array.Env(), "attach: the argument is not a typed array");
  Segment segment;
  segment.span = *span;
  segment.keepAlive = Napi::Reference<Napi::Value>::New(array, 1);
  return add(std::move(segment));
}

double Memory::add(Segment segment) {
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].span.data != nullptr) continue;
    segments_[i] = std::move(segment);
    return static_cast<double>(i + 1) * kSegmentSize;
  }
  segments_.push_back(std::move(segment));
  return static_cast<double>(segments_.size()) * kSegmentSize;
}

void Memory::release(double address) {
  const auto index = static_cast<size_t>(address / kSegmentSize) - 1;
  if (index >= segments_.size()) return;
  Segment& segment = segments_[index];
  if (segment.isOwn) munmap(segment.span.data, segment.span.sizeBytes);
  segment = Segment();
}

std::optional<Span> Memory::resolve(double address) const {
  if (!(address >= kSegmentSize && address < kSegmentSize * static_cast<double>(segments_.size() + 1))) {
    return std::nullopt;
  }
  const auto bits = static_cast<uint64_t>(address);
  const uint64_t offset = bits & ((uint64_t{1} << 40) - 1);
  const Span& span = segments_[(bits >> 40) - 1].span;
  if (static_cast<double>(bits) != address || span.data == nullptr || offset > span.sizeBytes) return std::nullopt;
  return Span{span.data + offset, span.sizeBytes - offset};
}

std::optional<Span> bytesOf(const Napi::Value& value) {
  // The C API, because the wrapper also fetches the ArrayBuffer, which a SharedArrayBuffer is not.
  bool isTyped = false;
  if (napi_is_typedarray(value.Env(), value, &isTyped) != napi_ok || !isTyped) return std::nullopt;
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    return std::nullopt;
  }
  return Span{static_cast<uint8_t*>(data), length * bytesPerElement(type)};
}

}  // namespace cria::binding
