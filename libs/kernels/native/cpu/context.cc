#include <cstdlib>
#include <memory>
#include <new>

#include "thread-pool.h"

namespace {

constexpr size_t kPage = 4096;

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

// Grows and never shrinks; what it held is lost when it grows.
class Buffer {
 public:
  void* reserve(size_t sizeBytes) {
    if (sizeBytes <= sizeBytes_) return memory_.get();
    memory_.reset();
    sizeBytes_ = 0;
    const size_t rounded = (sizeBytes + kPage - 1) / kPage * kPage;
    memory_.reset(std::aligned_alloc(kPage, rounded));
    if (memory_ != nullptr) sizeBytes_ = rounded;
    return memory_.get();
  }
  void* get() const { return memory_.get(); }

 private:
  std::unique_ptr<void, FreeMemory> memory_;
  size_t sizeBytes_ = 0;
};

}  // namespace

struct cria_context {
  explicit cria_context(int threads) : pool(threads), scratch(threads) {}

  cria::ThreadPool pool;
  std::vector<Buffer> scratch;
  Buffer workspaces[static_cast<size_t>(cria::Workspace::count)];
};

namespace cria {

void* workspace(cria_context* context, Workspace purpose, size_t sizeBytes) {
  return context->workspaces[static_cast<size_t>(purpose)].reserve(sizeBytes);
}

bool reserveScratch(cria_context* context, size_t sizeBytes) {
  for (Buffer& buffer : context->scratch) {
    if (buffer.reserve(sizeBytes) == nullptr) return false;
  }
  return true;
}

void* scratch(cria_context* context, int worker) { return context->scratch[worker].get(); }

int threadCount(const cria_context* context) { return context->pool.size(); }

void runTasks(cria_context* context, int64_t count, Task task, void* argument) {
  context->pool.run(count, task, argument);
}

}  // namespace cria

extern "C" {

cria_context* cria_context_create(int threads) {
  try {
    return new cria_context(threads < 1 ? 1 : threads);
  } catch (...) {  // no memory or no threads: the C ABI has no exceptions
    return nullptr;
  }
}

void cria_context_destroy(cria_context* context) { delete context; }
}
