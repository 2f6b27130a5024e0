// C[m, n] = left[m, k] right[k, n], tiled, packed and spread over threads. Every element of C is one chain over k in
// ascending order: a block of k's ends by storing the partial chain in f32, the next one loads it and goes on. So no
// constant in this file can change a bit.
#pragma once

#include "context.h"
#include "pack-left.h"

namespace cria::CRIA_ISA {

// Steps per block: a panel's block (128 KiB) and a tile's left rows stay in L2.
constexpr int64_t kBlockSteps = 512;
constexpr int64_t kPackSteps = 128;
constexpr int kTilePanels = 128 / kPanel;
constexpr int kTileColumns = kTilePanels * kPanel;
// 192 rows, halved until there are tiles enough for all threads to end at about the same time.
constexpr int kTileGroups = 32;
constexpr int kMinTileGroups = 8;
constexpr int64_t kTilesPerThread = 8;

template <class T>
struct Product {
  Operand<T> left;
  Operand<T> right;
  int64_t m;
  int64_t n;
  int64_t k;
};

// An epilogue takes finished chains, and hears before a tile is computed which one it will be. One that writes plain
// f32 lets the micro-kernel work in C itself.
struct StoreF32 {
  static constexpr bool kInPlace = true;
  float* c;
  int64_t stride;
  bool accumulate;
};

// Asks for `rows` rows of a panel's width that are about to be written.
template <class T>
inline void prefetchRows(const T* first, int64_t stride, int rows) {
  constexpr int kLine = 64 / sizeof(T);
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < kPanel; j += kLine) prefetchForWrite(first + i * stride + j);
  }
}

struct StoreBf16 {
  static constexpr bool kInPlace = false;
  Bf16* c;
  int64_t stride;

  void prefetch(int64_t row, int rows, int64_t column) const { prefetchRows(c + row * stride + column, stride, rows); }

  void operator()(const float* tile, int64_t tileStride, int64_t row, int rows, int64_t column, int columns) const {
    for (int i = 0; i < rows; ++i) {
      Bf16* to = c + (row + i) * stride + column;
      for (int j = 0; j < columns; j += kLanes) {
        storeLanes(to + j, load(tile + i * tileStride + j), lanesLeft(columns, j));
      }
    }
  }
};

// C = residual + product.
struct AddResidual {
  static constexpr bool kInPlace = false;
  float* c;
  const float* residual;
  int64_t stride;

  void prefetch(int64_t row, int rows, int64_t column) const { prefetchRows(c + row * stride + column, stride, rows); }

  void operator()(const float* tile, int64_t tileStride, int64_t row, int rows, int64_t column, int columns) const {
    for (int i = 0; i < rows; ++i) {
      const int64_t at = (row + i) * stride + column;
      for (int j = 0; j < columns; j += kLanes) {
        const int lanes = lanesLeft(columns, j);
        storeLanes(c + at + j, loadLanes(residual + at + j, lanes) + load(tile + i * tileStride + j), lanes);
      }
    }
  }
};

// One product under way: the packed operands and how they are cut.
template <class T, class Epilogue>
class Gemm {
 public:
  Gemm(cria_context* context, const Product<T>& product, const Epilogue& epilogue)
      : context_(context), product_(product), epilogue_(epilogue) {}

  cria_status run() {
    if (product_.m == 0 || product_.n == 0) return CRIA_OK;
    plan();
    if (!allocate()) return CRIA_OUT_OF_MEMORY;
    runTasks(context_, rightPackTasks_ + leftPackTasks_, packTask, this);
    if (isThin_) {
      runTasks(context_, panels_, thinTask, this);
      return CRIA_OK;
    }
    runTasks(context_, tileRows_ * tileColumns_, tileTask, this);
    return CRIA_OK;
  }

 private:
  static constexpr bool kPairs = Steps<T>::kPairs;

  void plan() {
    steps_ = Steps<T>::count(product_.k);
    panels_ = ceilDivide(product_.n, kPanel);
    groups_ = ceilDivide(product_.m, kRows);
    const Operand<T>& left = product_.left;
    const bool wholeWords = !Steps<T>::kPairs || (left.stride % 2 == 0 && product_.k % 2 == 0);
    leftInPlace_ = Steps<T>::kInPlace && left.kIsContiguous && wholeWords;
    isThin_ = groups_ == 1;
    packBlocks_ = ceilDivide(steps_, kPackSteps);
    rightPackTasks_ = isThin_ ? 0 : ceilDivide(panels_, kPanelsPerTask) * packBlocks_;
    leftPackTasks_ = leftInPlace_ ? 0 : ceilDivide(groups_, kLeftGroups) * packBlocks_;
    tileColumns_ = ceilDivide(panels_, kTilePanels);
    const int64_t wanted = kTilesPerThread * threadCount(context_);
    tileGroups_ = kTileGroups;
    while (tileGroups_ > kMinTileGroups && ceilDivide(groups_, tileGroups_) * tileColumns_ < wanted) tileGroups_ /= 2;
    tileRows_ = ceilDivide(groups_, tileGroups_);
  }

  bool allocate() {
    const size_t slack = 1024;  // the last group's stores may reach past its end
    const int64_t rightWords = isThin_ ? 0 : panels_ * steps_ * kPanel;
    right_ = static_cast<uint32_t*>(workspace(context_, Workspace::packedRight, 4 * (rightWords + slack)));
    if (!leftInPlace_) {
      left_ = static_cast<uint32_t*>(workspace(context_, Workspace::packedLeft, 4 * (groups_ * steps_ * kRows + slack)));
    }
    const size_t scratchBytes = sizeof(float) * (kTileElements + kPackSteps * kPanel + slack);
    return right_ != nullptr && (leftInPlace_ || left_ != nullptr) && reserveScratch(context_, scratchBytes);
  }

  static void packTask(void* self, int64_t index, int) {
    auto* gemm = static_cast<Gemm*>(self);
    if (index < gemm->rightPackTasks_) {
      gemm->packRight(index);
    } else {
      gemm->packLeftGroups(index - gemm->rightPackTasks_);
    }
  }

  void packRight(int64_t task) {
    const int64_t from = task % packBlocks_ * kPackSteps;
    const int64_t to = smaller(from + kPackSteps, steps_);
    const int64_t panel = task / packBlocks_ * kPanelsPerTask;
    for (int64_t p = panel; p < smaller(panel + kPanelsPerTask, panels_); ++p) {
      packGroup<T, kPanel>(right_ + (p * steps_ + from) * kPanel, product_.right, p * kPanel, product_.n - p * kPanel,
                           from, to, product_.k);
    }
  }

  void packLeftGroups(int64_t task) {
    const int64_t from = task % packBlocks_ * kPackSteps;
    const int64_t to = smaller(from + kPackSteps, steps_);
    const int64_t group = task / packBlocks_ * kLeftGroups;
    packLeft<T>(left_ + (group * steps_ + from) * kRows, steps_ * kRows, product_.left, group * kRows,
                product_.m - group * kRows, from, to, product_.k);
  }

  // One group of rows, as when text is generated: each panel is used once, so it is packed piece by piece in L1.
  static void thinTask(void* self, int64_t panel, int worker) {
    auto* gemm = static_cast<Gemm*>(self);
    const Product<T>& product = gemm->product_;
    float* tile = static_cast<float*>(scratch(gemm->context_, worker));
    uint32_t* packed = reinterpret_cast<uint32_t*>(tile + kTileElements);
    const Place place = gemm->placeOf(0, panel);
    for (int64_t step = 0; step < gemm->steps_ || step == 0; step += kPackSteps) {
      const int64_t end = smaller(step + kPackSteps, gemm->steps_);
      packGroup<T, kPanel>(packed, product.right, panel * kPanel, product.n - panel * kPanel, step, end, product.k);
      const Block block{step, end - step, step > 0, end == gemm->steps_};
      gemm->finish(gemm->epilogue_, block, gemm->leftSteps(0, step), reinterpret_cast<const float*>(packed), tile,
                   place);
    }
  }

  static void tileTask(void* self, int64_t index, int worker) {
    auto* gemm = static_cast<Gemm*>(self);
    // Neighbouring tasks share the shorter side's operand.
    const bool rowsFirst = gemm->tileRows_ >= gemm->tileColumns_;
    const int64_t row = rowsFirst ? index % gemm->tileRows_ : index / gemm->tileColumns_;
    const int64_t column = rowsFirst ? index / gemm->tileRows_ : index % gemm->tileColumns_;
    gemm->multiplyBlocks(row * gemm->tileGroups_, column * kTilePanels, worker);
  }

  void multiplyBlocks(int64_t firstGroup, int64_t firstPanel, int worker) {
    float* tile = static_cast<float*>(scratch(context_, worker));
    const int64_t endGroup = smaller(firstGroup + tileGroups_, groups_);
    const int64_t endPanel = smaller(firstPanel + kTilePanels, panels_);
    for (int64_t step = 0; step < steps_ || step == 0; step += kBlockSteps) {
      const Block block{step, smaller(kBlockSteps, steps_ - step), step > 0, step + kBlockSteps >= steps_};
      for (int64_t group = firstGroup; group < endGroup; ++group) {
        // Partial chains of all groups wait here for the next block; with one block a single group's place stays in L1.
        float* rowTile = tile + (steps_ > kBlockSteps ? (group - firstGroup) * kRows * kTileColumns : 0);
        if (group + 1 < endGroup) prefetchLeft(group + 1, block);
        for (int64_t panel = firstPanel; panel < endPanel; ++panel) {
          multiplyOne(block, group, panel, rowTile + (panel - firstPanel) * kPanel);
        }
      }
    }
  }

  struct Block {
    int64_t step;
    int64_t count;
    bool resume;
    bool last;
  };

  LeftSteps leftSteps(int64_t group, int64_t step) const {
    if (!leftInPlace_) return LeftSteps::packed(left_ + (group * steps_ + step) * kRows);
    const T* row = product_.left.at(group * kRows, Steps<T>::firstK(step));
    return LeftSteps::inPlace(row, product_.left.stride * int64_t{sizeof(T)} / 4);
  }

  // Short rows far apart are no stream that the CPU would follow by itself.
  void prefetchLeft(int64_t group, const Block& block) const {
    if (!leftInPlace_) return;
    const LeftSteps left = leftSteps(group, block.step);
    const int rows = static_cast<int>(smaller(kRows, product_.m - group * kRows));
    for (int i = 0; i < rows; ++i) {
      for (int64_t step = 0; step < block.count; step += 16) prefetch(left.words + i * left.rowStride + step);
    }
  }

  struct Place {
    int64_t row, column;
    int rows, columns;
  };

  Place placeOf(int64_t group, int64_t panel) const {
    const int64_t row = group * kRows;
    const int64_t column = panel * kPanel;
    const int rows = static_cast<int>(smaller(kRows, product_.m - row));
    const int columns = static_cast<int>(smaller(kPanel, product_.n - column));
    return {row, column, rows, columns};
  }

  void multiplyOne(const Block& block, int64_t group, int64_t panel, float* tile) {
    const float* right = reinterpret_cast<const float*>(right_ + (panel * steps_ + block.step) * kPanel);
    finish(epilogue_, block, leftSteps(group, block.step), right, tile, placeOf(group, panel));
  }

  void finish(const StoreF32& out, const Block& block, const LeftSteps& left, const float* right, float* tile,
              const Place& at) {
    float* c = out.c + at.row * out.stride + at.column;
    const bool resume = block.resume || out.accumulate;
    if (at.columns == kPanel) {
      prefetchNext(c + kPanel, out.stride, at);
      return multiplyRows<kPairs>(at.rows, left, right, block.count, c, out.stride, resume);
    }
    if (resume) copyColumns(tile, kTileColumns, c, out.stride, at);
    multiplyRows<kPairs>(at.rows, left, right, block.count, tile, kTileColumns, resume);
    copyColumns(c, out.stride, tile, kTileColumns, at);
  }

  template <class Other>
  void finish(const Other& epilogue, const Block& block, const LeftSteps& left, const float* right, float* tile,
              const Place& at) {
    if (block.last) epilogue.prefetch(at.row, at.rows, at.column);
    multiplyRows<kPairs>(at.rows, left, right, block.count, tile, kTileColumns, block.resume);
    if (block.last) epilogue(tile, kTileColumns, at.row, at.rows, at.column, at.columns);
  }

  // The tile of C that comes next: where k is short, waiting for C is most of the time.
  void prefetchNext(float* next, int64_t stride, const Place& at) const {
    if (at.column + 2 * kPanel > product_.n) return;
    for (int i = 0; i < at.rows; ++i) {
      for (int j = 0; j < kPanel; j += kLanes) prefetchForWrite(next + i * stride + j);
    }
  }

  static void copyColumns(float* to, int64_t toStride, const float* from, int64_t fromStride, const Place& at) {
    for (int i = 0; i < at.rows; ++i) {
      for (int j = 0; j < at.columns; ++j) to[i * toStride + j] = from[i * fromStride + j];
    }
  }

  static constexpr int64_t kPanelsPerTask = 256 / kPanel;
  static constexpr int64_t kTileElements = int64_t{kTileGroups} * kRows * kTileColumns;

  cria_context* context_;
  const Product<T>& product_;
  const Epilogue& epilogue_;
  uint32_t* left_ = nullptr;
  uint32_t* right_ = nullptr;
  int64_t steps_ = 0, panels_ = 0, groups_ = 0, packBlocks_ = 0;
  int64_t rightPackTasks_ = 0, leftPackTasks_ = 0;
  int64_t tileGroups_ = 0, tileRows_ = 0, tileColumns_ = 0;
  bool leftInPlace_ = false;
  bool isThin_ = false;
};

template <class T, class Epilogue>
cria_status multiply(cria_context* context, const Product<T>& product, const Epilogue& epilogue) {
  return Gemm<T, Epilogue>(context, product, epilogue).run();
}

}  // namespace cria::CRIA_ISA
