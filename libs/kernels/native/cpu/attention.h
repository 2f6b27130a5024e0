// What attention's two passes share: sizes, the scratch of one task, and products of small matrices in it.
//
// One task is one (batch, key/value head) with all query heads that use it, so dk and dv are sums of one thread, in
// one order: heads, then queries, ascending. Queries are taken kQueryBlock at a time and their scores, up to the last
// key that they may see rounded up to kKeyBlock, stay in L2; no T x T matrix exists. Both constants are part of the
// arithmetic, because masked keys take part in the chains as zeros.
#pragma once

#include "pack-left.h"

namespace cria::CRIA_ISA {

constexpr int64_t kQueryBlock = 48;
constexpr int64_t kKeyBlock = 64;
static_assert(kKeyBlock % kPanel == 0 && kQueryBlock % kRows == 0, "blocks are whole tiles");

inline int64_t roundUp(int64_t x, int64_t multiple) { return ceilDivide(x, multiple) * multiple; }

// A right operand, packed: panels of `width` columns, `panelStride` words apart.
struct Panels {
  uint32_t* words;
  int64_t width;  // kPanel or kNarrowPanel
  int64_t panelStride;
  int64_t columns;  // a multiple of the width
};

// Cuts a worker's scratch into arrays; from null it only counts bytes.
class ScratchCutter {
 public:
  explicit ScratchCutter(void* memory) : begin_(reinterpret_cast<uintptr_t>(memory)), next_(begin_) {}

  template <class T>
  T* take(int64_t count) {
    T* array = reinterpret_cast<T*>(next_);
    next_ += static_cast<uintptr_t>(roundUp(count * int64_t{sizeof(T)}, 64) + 64);
    return array;
  }
  size_t used() const { return next_ - begin_; }

 private:
  uintptr_t begin_;
  uintptr_t next_;
};

template <class T>
Panels takePanels(ScratchCutter& cutter, int64_t columns, int64_t k) {
  const int64_t steps = Steps<T>::count(k);
  const int64_t width = columns <= kNarrowPanel ? kNarrowPanel : kPanel;
  const int64_t padded = roundUp(columns, width);
  return {cutter.take<uint32_t>(padded * steps + 64), width, steps * width, padded};
}

// Packs right[k, columns]; k's from `kCount` up to the panels' length are zero.
template <class T>
void packPanels(const Panels& panels, const Operand<T>& right, int64_t columns, int64_t kCount) {
  const int64_t steps = Steps<T>::count(kCount);
  for (int64_t first = 0; first < panels.columns; first += panels.width) {
    uint32_t* out = panels.words + first / panels.width * panels.panelStride;
    const int64_t count = larger(columns - first, 0);
    if (panels.width == kPanel) {
      packGroup<T, kPanel>(out, right, first, count, 0, steps, kCount);
    } else {
      packGroup<T, kNarrowPanel>(out, right, first, count, 0, steps, kCount);
    }
    const int64_t packed = steps * panels.width;
    __builtin_memset(out + packed, 0, sizeof(uint32_t) * (panels.panelStride - packed));
  }
}

// c[rows, columns rounded up to the panels' width] = (resume ? c : 0) + left[rows, k] panels; `leftWords` has room for `left`
// packed.
template <class T>
void multiplyPanels(float* c, int64_t cStride, const Operand<T>& left, int64_t rows, int64_t k, const Panels& panels,
                    int64_t columns, bool resume, uint32_t* leftWords) {
  const int64_t steps = Steps<T>::count(k);
  const bool wholeWords = !Steps<T>::kPairs || (left.stride % 2 == 0 && k % 2 == 0);
  const bool inPlace = Steps<T>::kInPlace && left.kIsContiguous && wholeWords;
  for (int64_t row = 0; row < rows; row += kLeftColumns) {
    const int64_t count = smaller(kLeftColumns, rows - row);
    if (!inPlace) packLeft(leftWords, steps * kRows, left, row, count, 0, steps, k);
    for (int64_t i = 0; i < count; i += kRows) {
      const LeftSteps leftSteps = inPlace
                                      ? LeftSteps::inPlace(left.at(row + i, 0), left.stride * int64_t{sizeof(T)} / 4)
                                      : LeftSteps::packed(leftWords + i * steps);
      const int tileRows = static_cast<int>(smaller(kRows, count - i));
      for (int64_t column = 0; column < columns; column += panels.width) {
        const auto* panel = reinterpret_cast<const float*>(panels.words + column / panels.width * panels.panelStride);
        float* tile = c + (row + i) * cStride + column;
        if (panels.width == kPanel) {
          multiplyRows<Steps<T>::kPairs>(tileRows, leftSteps, panel, steps, tile, cStride, resume);
        } else {
          multiplyRows<Steps<T>::kPairs, kNarrowVectors>(tileRows, leftSteps, panel, steps, tile, cStride, resume);
        }
      }
    }
  }
}

// Distance between rows of scores: not a power of two, so that the rows of a tile do not share cache sets.
inline int64_t scoreStride(int64_t keys) { return roundUp(keys, kKeyBlock) + 32; }

// Words of the largest left operand that is packed at a time.
inline int64_t leftWordsFor(int64_t k) { return kLeftColumns * (roundUp(k, 2) + 2) + 64; }

// 1 / sqrt(headDim), IEEE.
inline float scoreScale(int64_t headDim) { return 1.0f / __builtin_sqrtf(static_cast<float>(headDim)); }

// One (batch, key/value head): where its rows begin and how far apart they are.
struct TaskPlace {
  int64_t batch, kvHead, group;
  int64_t queryStride, keyStride;

  TaskPlace(const cria_attention_sizes& s, int64_t task)
      : batch(task / s.kv_heads),
        kvHead(task % s.kv_heads),
        group(s.heads / s.kv_heads),
        queryStride(s.heads * s.head_dim),
        keyStride(s.kv_heads * s.head_dim) {}

  int64_t queryAt(const cria_attention_sizes& s, int64_t inGroup) const {
    return batch * s.queries * queryStride + (kvHead * group + inGroup) * s.head_dim;
  }
  int64_t keyAt(const cria_attention_sizes& s) const { return batch * s.keys * keyStride + kvHead * s.head_dim; }
  int64_t lseAt(const cria_attention_sizes& s, int64_t inGroup) const {
    return (batch * s.heads + kvHead * group + inGroup) * s.queries;
  }
};

}  // namespace cria::CRIA_ISA
