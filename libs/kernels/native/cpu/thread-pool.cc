#include "thread-pool.h"

namespace cria {

namespace {

// About 30 microseconds on a 3 GHz core: longer than the gap between two kernels of a step, shorter than anything a
// person or an event loop notices.
constexpr int kSpins = 1000;

constexpr uint64_t kOpen = 1 << 16;
constexpr uint64_t kActiveMask = kOpen - 1;
constexpr int kGenerationShift = 17;

uint64_t generationOf(uint64_t gate) { return gate >> kGenerationShift; }

inline void pauseBriefly() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

template <class Condition>
bool spinUntil(Condition condition) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (condition()) return true;
    pauseBriefly();
  }
  return condition();
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { workerLoop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_.store(true);
    gate_.fetch_add(uint64_t{1} << kGenerationShift);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(int64_t count, Task task, void* argument) {
  if (workers_.empty() || count <= 1) {
    for (int64_t index = 0; index < count; ++index) task(argument, index, 0);
    return;
  }
  job_ = {count, task, argument, controlWord()};
  nextTask_.store(0, std::memory_order_relaxed);
  gate_.store(((generationOf(gate_.load()) + 1) << kGenerationShift) | kOpen);
  if (sleepers_.load() > 0) {
    std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  takeTasks(0);
  gate_.fetch_and(~kOpen);
  awaitActiveWorkers();
}

void ThreadPool::takeTasks(int worker) {
  for (;;) {
    const int64_t index = nextTask_.fetch_add(1, std::memory_order_relaxed);
    if (index >= job_.count) return;
    job_.task(job_.argument, index, worker);
  }
}

void ThreadPool::workerLoop(int worker) {
  uint64_t seen = 0;
  for (;;) {
    seen = awaitGenerationAfter(seen);
    if (stopping_.load()) return;
    if (!enter(seen)) continue;
    setControlWord(job_.mode);
    takeTasks(worker);
    leave();
  }
}

bool ThreadPool::enter(uint64_t generation) {
  uint64_t gate = gate_.load();
  while ((gate & kOpen) != 0 && generationOf(gate) == generation) {
    if (gate_.compare_exchange_weak(gate, gate + 1)) return true;
  }
  return false;
}

void ThreadPool::leave() {
  const uint64_t before = gate_.fetch_sub(1);
  if ((before & kActiveMask) != 1 || !callerSleeps_.load()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  done_.notify_one();
}

uint64_t ThreadPool::awaitGenerationAfter(uint64_t seen) {
  const auto begun = [&] { return generationOf(gate_.load()) != seen; };
  if (!spinUntil(begun)) {
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    wake_.wait(lock, begun);
    sleepers_.fetch_sub(1);
  }
  return generationOf(gate_.load());
}

void ThreadPool::awaitActiveWorkers() {
  const auto finished = [&] { return (gate_.load() & kActiveMask) == 0; };
  if (spinUntil(finished)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  callerSleeps_.store(true);
  done_.wait(lock, finished);
  callerSleeps_.store(false);
}

}  // namespace cria
