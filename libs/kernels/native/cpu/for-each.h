// runTasks with a lambda instead of a function and a void pointer.
#pragma once

#include "context.h"
#include "simd.h"

namespace cria::CRIA_ISA {

// Runs body(i, worker) for i in [0, count), spread over all threads.
template <class Body>
inline void forEach(cria_context* context, int64_t count, const Body& body) {
  const Task call = [](void* self, int64_t index, int worker) { (*static_cast<const Body*>(self))(index, worker); };
  runTasks(context, count, call, const_cast<Body*>(&body));
}

}  // namespace cria::CRIA_ISA
