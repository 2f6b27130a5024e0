// Packed bytes -> accumulator, digest, mean gradient. The bytes come from another machine: everything that the table
// claims is checked before a value is used.
#include "bit-packing.h"
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr int64_t kExactLimit = int64_t{1} << 53;

// A packed range whose table fits its length, with the payload's start for every task.
struct PackedRange {
  const uint8_t* widths;
  const uint8_t* payload;
  int64_t blocks;
  int64_t* starts;

  int64_t tasks() const { return ceilDivide(blocks, kBlocksPerTask); }
};

bool wideBlockIsExact(const uint8_t* in) {
  for (int j = 0; j < kBlock; ++j) {
    int64_t q;
    __builtin_memcpy(&q, in + 8 * j, sizeof q);
    if (q >= kExactLimit || q < -kExactLimit) return false;
  }
  return true;
}

cria_status openPacked(cria_context* context, PackedRange& range, const uint8_t* packed, int64_t packedBytes,
                       int64_t blocks) {
  range = {packed, packed + blocks, blocks, nullptr};
  if (packedBytes < blocks) return CRIA_MALFORMED;
  // Starts first, then one digest per task.
  const size_t words = 2 * static_cast<size_t>(range.tasks() + 1);
  range.starts = static_cast<int64_t*>(workspace(context, Workspace::partials, sizeof(int64_t) * words));
  if (range.starts == nullptr) return CRIA_OUT_OF_MEMORY;
  int64_t at = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const int width = packed[block];
    if (width > kMaxWidth) return CRIA_MALFORMED;
    if (block % kBlocksPerTask == 0) range.starts[block / kBlocksPerTask] = at;
    const int64_t end = at + payloadBytes(width);
    if (blocks + end > packedBytes) return CRIA_MALFORMED;
    if (width > 32 && !wideBlockIsExact(range.payload + at)) return CRIA_MALFORMED;
    at = end;
  }
  return blocks + at == packedBytes ? CRIA_OK : CRIA_MALFORMED;
}

// Calls narrow(block, int32 values, width), wide(block, int64 values) or zero(block) for every block of a task.
template <class Visitor>
void visitTask(const PackedRange& range, int64_t task, Visitor& visitor) {
  const uint8_t* in = range.payload + range.starts[task];
  const int64_t to = smaller((task + 1) * kBlocksPerTask, range.blocks);
  alignas(64) int32_t narrow[kBlock];
  alignas(64) int64_t wide[kBlock];
  for (int64_t block = task * kBlocksPerTask; block < to; ++block) {
    const int width = range.widths[block];
    if (width == 0) {
      visitor.zero(block);
    } else if (width <= 32) {
      kCodecs.unpack[width](narrow, in);
      visitor.narrow(block, narrow, width);
    } else {
      __builtin_memcpy(wide, in, sizeof wide);
      visitor.wide(block, wide);
    }
    in += payloadBytes(width);
  }
}

// Digests what it sees.
struct Digest {
  int64_t flatBlock;
  uint64_t sum;

  void zero(int64_t) {}
  void narrow(int64_t block, const int32_t* values, int) {
    sum += blockWeight(flatBlock + block) * weightedSum(values, kBlock);
  }
  void wide(int64_t block, const int64_t* values) {
    sum += blockWeight(flatBlock + block) * weightedSum(values, kBlock);
  }
};

// Adds to an accumulator and digests.
struct Adder {
  cria_accumulator acc;
  Digest digest;

  void zero(int64_t) {}
  void narrow(int64_t block, const int32_t* values, int width) {
    digest.narrow(block, values, width);
    const cria_accumulator at = blocksFrom(acc, block);
    // Width 31 means |q| <= 2^30: added to a small block it cannot overflow.
    if (width == 32 || *at.is_wide != 0) {
      addToWide(at, values);
    } else {
      addToSmall(at, values);
    }
  }
  void wide(int64_t block, const int64_t* values) {
    digest.wide(block, values);
    addToWide(blocksFrom(acc, block), values);
  }
};

// (float)((double)q * scale).
struct Mean {
  float* out;
  double scale;

  void zero(int64_t block) { __builtin_memset(out + block * kBlock, 0, kBlock * sizeof(float)); }
  void narrow(int64_t block, const int32_t* values, int) { write(block, values); }
  void wide(int64_t block, const int64_t* values) { write(block, values); }

 private:
  template <class Integer>
  void write(int64_t block, const Integer* values) {
    for (int j = 0; j < kBlock; ++j) {
      out[block * kBlock + j] = static_cast<float>(static_cast<double>(values[j]) * scale);
    }
  }
};

}  // namespace

cria_status unpack_add(cria_context* context, cria_accumulator acc, uint64_t* digest, const uint8_t* packed,
                       int64_t packedBytes, int64_t blocks, int64_t flatBlock) {
  const FloatingPointMode mode(kIeee);
  PackedRange range;
  const cria_status status = openPacked(context, range, packed, packedBytes, blocks);
  if (status != CRIA_OK) return status;
  const TaskSums sums{reinterpret_cast<uint64_t*>(range.starts + range.tasks() + 1), range.tasks()};
  forEach(context, range.tasks(), [&](int64_t task, int) {
    Adder adder{acc, {flatBlock, 0}};
    visitTask(range, task, adder);
    sums.perTask[task] = adder.digest.sum;
  });
  *digest = sums.total();
  return CRIA_OK;
}

cria_status packed_digest(cria_context* context, uint64_t* digest, const uint8_t* packed, int64_t packedBytes,
                          int64_t blocks, int64_t flatBlock) {
  PackedRange range;
  const cria_status status = openPacked(context, range, packed, packedBytes, blocks);
  if (status != CRIA_OK) return status;
  const TaskSums sums{reinterpret_cast<uint64_t*>(range.starts + range.tasks() + 1), range.tasks()};
  forEach(context, range.tasks(), [&](int64_t task, int) {
    Digest visitor{flatBlock, 0};
    visitTask(range, task, visitor);
    sums.perTask[task] = visitor.sum;
  });
  *digest = sums.total();
  return CRIA_OK;
}

cria_status unpack_mean(cria_context* context, float* out, const uint8_t* packed, int64_t packedBytes, int64_t blocks,
                        double scale) {
  const FloatingPointMode mode(kIeee);
  PackedRange range;
  const cria_status status = openPacked(context, range, packed, packedBytes, blocks);
  if (status != CRIA_OK) return status;
  forEach(context, range.tasks(), [&](int64_t task, int) {
    Mean visitor{out, scale};
    visitTask(range, task, visitor);
  });
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
