// The memory that one native context may touch: what it allocated itself and typed arrays that were attached.
//
// An address is a number, segment * 2^40 + byte offset, so that a tensor inside a segment is plain arithmetic in
// TypeScript and every use is checked against its segment here. The first segment is number 1: address 0 is never
// valid.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace cria::binding {

struct Span {
  uint8_t* data;
  uint64_t sizeBytes;
};

class Memory {
 public:
  Memory() = default;
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // A new segment of zeroed memory, or nothing when there is none. Returns its address.
  std::optional<double> allocate(uint64_t sizeBytes);
  // A typed array as a segment; it stays alive until it is released.
  double attach(const Napi::Value& array);
  void release(double address);

  // From the address to the segment's end; nothing when the address is outside every segment.
  std::optional<Span> resolve(double address) const;

 private:
  struct Segment {
    Span span{nullptr, 0};
    bool isOwn = false;
    Napi::Reference<Napi::Value> keepAlive;
  };

  double add(Segment segment);

  std::vector<Segment> segments_;
};

// The bytes of a typed array (also one over a SharedArrayBuffer), or nothing when the value is not one.
std::optional<Span> bytesOf(const Napi::Value& value);

}  // namespace cria::binding
