// Gradient -> grid -> accumulator, with the linear digest of what was added.
//
// The value is rounded onto the grid by itself and only then added: adding first would let the sum decide a tie. With
// denormals kept, because x * 2^g is to be exact for every x.
#include "block.h"
#include "floating-point-mode.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

constexpr float kGradientLimit = 512.0f;
// Adding and subtracting it rounds a double below 2^51 to the nearest even integer.
constexpr double kMagic = 6755399441055744.0;

struct Gradient {
  const float* values;
  int count;
};

float powerOfTwo(int exponent) {
  float x = 1.0f;
  for (int i = 0; i < exponent; ++i) x *= 2.0f;
  return x;
}

// Bits of the largest magnitude: they order as magnitudes do, NaN above all.
uint32_t largestMagnitude(const Gradient& g) {
  uint32_t largest = 0;
  for (int j = 0; j < g.count; ++j) {
    uint32_t bits;
    __builtin_memcpy(&bits, g.values + j, sizeof bits);
    bits &= 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

// The ordinary block: every |q| < 2^30.
uint64_t addSmallBlock(const cria_accumulator& block, const Gradient& g, float scale) {
  alignas(64) int32_t q[kBlock] = {};
  for (int j = 0; j < g.count; ++j) q[j] = static_cast<int32_t>(__builtin_rintf(g.values[j] * scale));
  addToSmall(block, q);
  return weightedSum(q, g.count);
}

// A block with large values, or values that count as zero.
uint64_t addWideBlock(const cria_accumulator& block, const Gradient& g, double scale) {
  double q[kBlock] = {};
  uint64_t sum = 0;
  for (int j = 0; j < g.count; ++j) {
    const float x = g.values[j];
    if (!(__builtin_fabsf(x) < kGradientLimit)) continue;
    q[j] = (static_cast<double>(x) * scale + kMagic) - kMagic;
    sum += kWordWeights.weight[j] * static_cast<uint64_t>(static_cast<int64_t>(q[j]));
  }
  addToWide(block, q);
  return sum;
}

struct BlockResult {
  uint64_t digest;
  bool flagged;
};

BlockResult addBlock(const cria_accumulator& block, const Gradient& g, float scale, int64_t flatBlock) {
  const uint32_t peakBits = largestMagnitude(g);
  if (peakBits == 0) return {0, false};
  float peak;
  __builtin_memcpy(&peak, &peakBits, sizeof peak);
  const bool small = peak * scale < static_cast<float>(kSmallLimit) && *block.is_wide == 0;
  const uint64_t sum = small ? addSmallBlock(block, g, scale) : addWideBlock(block, g, scale);
  return {blockWeight(flatBlock) * sum, !(peak < kGradientLimit)};
}

}  // namespace

cria_status accumulate_gradient(cria_context* context, cria_accumulator at, uint64_t* digests, int* flagged,
                                const float* gradient, int64_t count, int64_t flatBlock, int gridBits) {
  const FloatingPointMode mode(kIeee);
  const int64_t blocks = ceilDivide(count, kBlock);
  // Tasks begin at multiples of kBlocksPerTask of the flat array, so that each lies inside one part.
  const int64_t firstTask = flatBlock / kBlocksPerTask;
  const int64_t tasks = ceilDivide(flatBlock + blocks, kBlocksPerTask) - firstTask;
  auto* results = static_cast<BlockResult*>(workspace(context, Workspace::partials, sizeof(BlockResult) * (tasks + 1)));
  if (results == nullptr) return CRIA_OUT_OF_MEMORY;
  const float scale = powerOfTwo(gridBits);
  forEach(context, tasks, [&](int64_t task, int) {
    const int64_t from = larger((firstTask + task) * kBlocksPerTask, flatBlock);
    const int64_t to = smaller((firstTask + task + 1) * kBlocksPerTask, flatBlock + blocks);
    BlockResult sum{0, false};
    for (int64_t flat = from; flat < to; ++flat) {
      const int64_t block = flat - flatBlock;
      const Gradient g{gradient + block * kBlock, static_cast<int>(smaller(kBlock, count - block * kBlock))};
      const BlockResult one = addBlock(blocksFrom(at, block), g, scale, flat);
      sum = {sum.digest + one.digest, sum.flagged || one.flagged};
    }
    results[task] = sum;
  });
  *flagged = 0;
  for (int64_t task = 0; task < tasks; ++task) {
    digests[(firstTask + task) * kBlocksPerTask / kBlocksPerPart] += results[task].digest;
    *flagged |= results[task].flagged ? 1 : 0;
  }
  return CRIA_OK;
}

}  // namespace cria::CRIA_ISA
