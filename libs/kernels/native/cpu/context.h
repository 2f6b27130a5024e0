// What kernels may ask of the context that they run in: threads and memory. Plain functions and no standard
// containers, because files compiled for AVX-512 include this: an inline function that the linker picks from there
// would stop an older CPU.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../include/cria_kernels.h"

namespace cria {

// Grow-only buffers, one per purpose; a kernel's contents do not outlive its call.
enum class Workspace { packedLeft, packedRight, headScores, headSums, rowVector, partials, gradients, count };

// At least `sizeBytes` bytes, aligned to 64, or null when there is no memory. Previous contents are lost.
void* workspace(cria_context* context, Workspace purpose, size_t sizeBytes);

// Makes sure that every worker's own scratch has at least `sizeBytes` bytes. False when there is no memory.
bool reserveScratch(cria_context* context, size_t sizeBytes);

// The scratch of one worker, aligned to 64.
void* scratch(cria_context* context, int worker);

int threadCount(const cria_context* context);

using Task = void (*)(void* argument, int64_t index, int worker);

// Runs task(argument, i, worker) for i in [0, count), each exactly once, on all threads; returns when all are done.
// Which worker runs which index is left to chance, so a task's result may depend on its index alone. Workers compute
// under the caller's floating-point mode.
void runTasks(cria_context* context, int64_t count, Task task, void* argument);

}  // namespace cria
