// Accumulator -> packed bytes.
#include "bit-packing.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

int bitLength(uint64_t x) { return x == 0 ? 0 : 64 - __builtin_clzll(x); }

int blockWidth(const cria_accumulator& block) {
  uint64_t all = 0;
  if (*block.is_wide == 0) {
    uint32_t narrow = 0;
    for (int j = 0; j < kBlock; ++j) {
      const int32_t q = block.small_values[j];
      narrow |= (static_cast<uint32_t>(q) << 1) ^ static_cast<uint32_t>(q >> 31);
    }
    all = narrow;
  } else {
    for (int j = 0; j < kBlock; ++j) {
      const int64_t q = static_cast<int64_t>(block.wide_values[j]);
      all |= (static_cast<uint64_t>(q) << 1) ^ static_cast<uint64_t>(q >> 63);
    }
  }
  return bitLength(all);
}

void packBlock(uint8_t* out, const cria_accumulator& block, int width) {
  if (width == 0) return;
  if (*block.is_wide == 0) return kCodecs.pack[width](out, block.small_values);
  if (width <= 32) {
    int32_t narrow[kBlock];
    for (int j = 0; j < kBlock; ++j) narrow[j] = static_cast<int32_t>(block.wide_values[j]);
    return kCodecs.pack[width](out, narrow);
  }
  int64_t wide[kBlock];
  for (int j = 0; j < kBlock; ++j) wide[j] = static_cast<int64_t>(block.wide_values[j]);
  __builtin_memcpy(out, wide, sizeof wide);
}

}  // namespace

cria_status pack_widths(cria_context* context, uint8_t* widths, int64_t* totalBytes, cria_accumulator acc,
                        int64_t blocks) {
  forEach(context, ceilDivide(blocks, kBlocksPerTask), [&](int64_t task, int) {
    const int64_t to = smaller((task + 1) * kBlocksPerTask, blocks);
    for (int64_t block = task * kBlocksPerTask; block < to; ++block) {
      widths[block] = static_cast<uint8_t>(blockWidth(blocksFrom(acc, block)));
    }
  });
  *totalBytes = 0;
  for (int64_t block = 0; block < blocks; ++block) *totalBytes += payloadBytes(widths[block]);
  return CRIA_OK;
}

cria_status pack(cria_context* context, uint8_t* payload, const uint8_t* widths, cria_accumulator acc,
                 int64_t blocks) {
  const int64_t tasks = ceilDivide(blocks, kBlocksPerTask);
  auto* starts = static_cast<int64_t*>(workspace(context, Workspace::partials, sizeof(int64_t) * (tasks + 1)));
  if (starts == nullptr) return CRIA_OUT_OF_MEMORY;
  int64_t at = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    if (block % kBlocksPerTask == 0) starts[block / kBlocksPerTask] = at;
    at += payloadBytes(widths[block]);
  }
  forEach(context, tasks, [&](int64_t task, int) {
    uint8_t* out = payload + starts[task];
    const int64_t to = smaller((task + 1) * kBlocksPerTask, blocks);
    for (int64_t block = task * kBlocksPerTask; block < to; ++block) {
      packBlock(out, blocksFrom(acc, block), widths[block]);
      out += payloadBytes(widths[block]);
    }
  });
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
