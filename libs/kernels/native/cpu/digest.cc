// Linear digests of accumulators and of raw words.
#include "block.h"
#include "for-each.h"
#include "kernels.h"

namespace cria::CRIA_ISA {

namespace {

// digest = sum over blocks of body(block), spread over threads.
template <class Body>
cria_status sumBlocks(cria_context* context, uint64_t* digest, int64_t blocks, const Body& body) {
  const int64_t tasks = ceilDivide(blocks, kBlocksPerTask);
  const TaskSums sums{
      static_cast<uint64_t*>(workspace(context, Workspace::partials, sizeof(uint64_t) * (tasks + 1))), tasks};
  if (sums.perTask == nullptr) return CRIA_OUT_OF_MEMORY;
  forEach(context, tasks, [&](int64_t task, int) {
    uint64_t sum = 0;
    const int64_t to = smaller((task + 1) * kBlocksPerTask, blocks);
    for (int64_t block = task * kBlocksPerTask; block < to; ++block) sum += body(block);
    sums.perTask[task] = sum;
  });
  *digest = sums.total();
  return CRIA_OK;
}

uint64_t accumulatedSum(const cria_accumulator& block) {
  return *block.is_wide == 0 ? weightedSum(block.small_values, kBlock) : weightedSum(block.wide_values, kBlock);
}

}  // namespace

cria_status accumulator_digest(cria_context* context, uint64_t* digest, cria_accumulator acc, int64_t blocks,
                               int64_t flatBlock) {
  return sumBlocks(context, digest, blocks, [&](int64_t block) {
    return blockWeight(flatBlock + block) * accumulatedSum(blocksFrom(acc, block));
  });
}

cria_status digest_words(cria_context* context, uint64_t* digest, const uint32_t* words, int64_t count,
                         int64_t flatBlock) {
  return sumBlocks(context, digest, ceilDivide(count, kBlock), [&](int64_t block) {
    const int64_t from = block * kBlock;
    const int inBlock = static_cast<int>(smaller(kBlock, count - from));
    return blockWeight(flatBlock + block) * weightedSum(words + from, inBlock);
  });
}

}  // namespace cria::CRIA_ISA
