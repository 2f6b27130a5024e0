#include "instruction-set.h"

#include <cstring>

namespace cria {

namespace {

bool always() { return true; }

#if defined(__x86_64__)
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
}

bool hasAvx512Bf16() { return hasAvx512() && __builtin_cpu_supports("avx512bf16"); }
#endif

constexpr int kMostSets = 4;

// Hashes of all instruction sets, computed once.
struct SelfTests {
  uint64_t hash[kMostSets] = {};
  const char* usable[kMostSets + 1] = {};

  SelfTests() {
    int count = 0;
    for (int i = 0; kInstructionSets[i].name != nullptr; ++i) {
      if (!kInstructionSets[i].cpuHasIt()) continue;
      hash[i] = selfTest(*kInstructionSets[i].kernels);
      if (hash[i] == kSelfTestHash) usable[count++] = kInstructionSets[i].name;
    }
  }
};

const SelfTests& selfTests() {
  static const SelfTests tests;
  return tests;
}

}  // namespace

const InstructionSet kInstructionSets[] = {
#if defined(__x86_64__)
    {"avx512bf16", &avx512bf16::kTable, hasAvx512Bf16},
    {"avx512", &avx512::kTable, hasAvx512},
    {"avx2", &avx2::kTable, hasAvx2},
#endif
    {"portable", &portable::kTable, always},
    {nullptr, nullptr, nullptr},
};

}  // namespace cria

extern "C" {

const char* const* cria_instruction_sets(void) { return cria::selfTests().usable; }

const cria_kernels* cria_kernels_for(const char* name) {
  for (const char* const* usable = cria_instruction_sets(); *usable != nullptr; ++usable) {
    if (std::strcmp(*usable, name) != 0) continue;
    for (const cria::InstructionSet* set = cria::kInstructionSets; set->name != nullptr; ++set) {
      if (std::strcmp(set->name, name) == 0) return set->kernels;
    }
  }
  return nullptr;
}

uint64_t cria_self_test(const char* name) {
  for (int i = 0; cria::kInstructionSets[i].name != nullptr; ++i) {
    if (std::strcmp(cria::kInstructionSets[i].name, name) == 0) return cria::selfTests().hash[i];
  }
  return 0;
}

uint64_t cria_self_test_expected(void) { return cria::kSelfTestHash; }
}
