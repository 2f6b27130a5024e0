// How the CPU treats denormals and rounds, set on entry of every kernel and restored on exit: other libraries change
// the control word, and threads inherit whatever their creator had.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace cria {

using ControlWord = uint64_t;

#if defined(__x86_64__)
// MXCSR (Intel SDM volume 1, 10.2.3): all exceptions masked, round to nearest even.
constexpr ControlWord kIeee = 0x1f80;
// The same with flush-to-zero (bit 15) and denormals-are-zero (bit 6), as `vdpbf16ps` always computes.
constexpr ControlWord kFlushDenormals = kIeee | 0x8040;

inline ControlWord controlWord() { return _mm_getcsr() & ~0x3fu; }
inline void setControlWord(ControlWord word) { _mm_setcsr(static_cast<unsigned>(word)); }
#elif defined(__aarch64__)
// FPCR (Arm ARM, C5.2.7): bit 24 flushes denormal inputs and results.
constexpr ControlWord kIeee = 0;
constexpr ControlWord kFlushDenormals = ControlWord{1} << 24;

inline ControlWord controlWord() {
  ControlWord word;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
inline void setControlWord(ControlWord word) { asm volatile("msr fpcr, %0" : : "r"(word)); }
#else
constexpr ControlWord kIeee = 0;
constexpr ControlWord kFlushDenormals = 0;

inline ControlWord controlWord() { return kIeee; }
inline void setControlWord(ControlWord) {}
#endif

// Holds a mode for the lifetime of a scope.
class FloatingPointMode {
 public:
  explicit FloatingPointMode(ControlWord word) : saved_(controlWord()) { setControlWord(word); }
  ~FloatingPointMode() { setControlWord(saved_); }
  FloatingPointMode(const FloatingPointMode&) = delete;
  FloatingPointMode& operator=(const FloatingPointMode&) = delete;

 private:
  ControlWord saved_;
};

}  // namespace cria
