// Blocks of 256 values on the grid: the unit of packing, of the wide side table and of the digest.
//
// All of it is integer arithmetic or exact, so plain loops may be vectorised as the compiler likes.
// libs/kernels/src/reference defines what is computed here, bit by bit.
#pragma once

#include "../include/cria_kernels.h"
#include "simd.h"

namespace cria::CRIA_ISA {

constexpr int kBlock = 256;
constexpr int64_t kBlocksPerPart = CRIA_BLOCKS_PER_PART;
// Blocks per task; a part holds a whole number of tasks.
constexpr int64_t kBlocksPerTask = 64;
// A block whose sums reach this moves to the wide table.
constexpr int32_t kSmallLimit = 1 << 30;
// Zigzag width of the largest integer that a double holds exactly.
constexpr int kMaxWidth = 54;

// 32-bit integer hash (Wellons' "lowbias32").
constexpr uint32_t mix32(uint32_t word) {
  word = (word ^ (word >> 16)) * 0x7feb352du;
  word = (word ^ (word >> 15)) * 0x846ca68bu;
  return word ^ (word >> 16);
}

// An odd 64-bit weight of the linear digest.
constexpr uint64_t digestWeight(uint32_t seed, uint32_t index) {
  const uint32_t low = mix32(seed + index);
  return uint64_t{mix32(low + 0x9e3779b9u)} << 32 | (low | 1u);
}

struct WordWeights {
  uint64_t weight[kBlock];
};

constexpr WordWeights makeWordWeights() {
  WordWeights table{};
  for (uint32_t j = 0; j < kBlock; ++j) table.weight[j] = digestWeight(0x243f6a88u, j);
  return table;
}

constexpr WordWeights kWordWeights = makeWordWeights();

// W_b: times the block's sum of weight[j] * value[j], it is the block's share of the digest.
inline uint64_t blockWeight(int64_t flatBlock) {
  return digestWeight(0x85a308d3u, static_cast<uint32_t>(flatBlock));
}

template <class Integer>
inline uint64_t weightedSum(const Integer* values, int count) {
  uint64_t sum = 0;
  for (int j = 0; j < count; ++j) {
    sum += kWordWeights.weight[j] * static_cast<uint64_t>(static_cast<int64_t>(values[j]));
  }
  return sum;
}

inline cria_accumulator blocksFrom(const cria_accumulator& all, int64_t block) {
  return {all.small_values + block * kBlock, all.wide_values + block * kBlock, all.is_wide + block};
}

inline void widenBlock(const cria_accumulator& block) {
  for (int j = 0; j < kBlock; ++j) block.wide_values[j] = block.small_values[j];
  *block.is_wide = 1;
}

// Adds integers of magnitude up to 2^30 to a small block; one that grew too large becomes wide.
inline void addToSmall(const cria_accumulator& block, const int32_t* values) {
  int32_t spread = 0;
  for (int j = 0; j < kBlock; ++j) {
    const int32_t sum = block.small_values[j] + values[j];
    block.small_values[j] = sum;
    spread |= sum ^ (sum >> 31);
  }
  if (spread >= kSmallLimit) widenBlock(block);
}

template <class Number>
inline void addToWide(const cria_accumulator& block, const Number* values) {
  if (*block.is_wide == 0) widenBlock(block);
  for (int j = 0; j < kBlock; ++j) block.wide_values[j] += static_cast<double>(values[j]);
}

// One number per task, added up at the end: unsigned 64-bit sums know no order.
struct TaskSums {
  uint64_t* perTask;
  int64_t count;

  uint64_t total() const {
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += perTask[i];
    return sum;
  }
};

}  // namespace cria::CRIA_ISA
