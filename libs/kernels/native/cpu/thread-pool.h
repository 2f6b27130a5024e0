// Threads that wait for work: they spin for some microseconds, because a training step is thousands of short kernels,
// then sleep, because the event loop of the process needs the core.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "context.h"
#include "floating-point-mode.h"

namespace cria {

class ThreadPool {
 public:
  // `threads` counts the calling thread: 1 means that everything runs there.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // See runTasks in context.h. One call at a time, never from inside a task.
  void run(int64_t count, Task task, void* argument);

 private:
  struct Job {
    int64_t count = 0;
    Task task = nullptr;
    void* argument = nullptr;
    ControlWord mode = kIeee;
  };

  void workerLoop(int worker);
  bool enter(uint64_t generation);
  void leave();
  void takeTasks(int worker);
  uint64_t awaitGenerationAfter(uint64_t seen);
  void awaitActiveWorkers();

  std::vector<std::thread> workers_;
  Job job_;
  std::atomic<int64_t> nextTask_{0};
  // Generation of the job, whether it is open, and how many workers are inside: one word, so that a worker that wakes
  // up late finds the job closed, and nobody waits for it.
  std::atomic<uint64_t> gate_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> callerSleeps_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
};

}  // namespace cria
