// Which instruction sets exist, and which of them may be used here.
#pragma once

#include "../include/cria_kernels.h"

namespace cria {

// One table per instruction set that was compiled in.
#if defined(__x86_64__)
namespace avx512bf16 {
extern const cria_kernels kTable;
}
namespace avx512 {
extern const cria_kernels kTable;
}
namespace avx2 {
extern const cria_kernels kTable;
}
#endif
namespace portable {
extern const cria_kernels kTable;
}

struct InstructionSet {
  const char* name;
  const cria_kernels* kernels;
  bool (*cpuHasIt)();
};

// Best first, `portable` last; ends with a null name.
extern const InstructionSet kInstructionSets[];

// A hash over results of every kernel that touches the mathematics of a run. The same on every path, or the path must
// not join a run.
uint64_t selfTest(const cria_kernels& kernels);

// What selfTest gives; changes only with the arithmetic version.
extern const uint64_t kSelfTestHash;

}  // namespace cria
