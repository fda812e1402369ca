// Runs a plan over a grid of parameter sets and samples.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel.h"
#include "plan.h"

namespace qjax {

// An array [*sizes, row]: rows over the grid, where a size of 1 stands for every index.
struct Rowed {
  const void* data = nullptr;
  std::vector<int64_t> sizes;
};

struct Threads {
  Schedule schedule;
  int count = 1;
};

// values[*grid, O] = <O> of the circuits with params[*, P] and features[*, F].
template <class T>
void evaluate(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, const Rowed& features,
              T* values, const Threads& threads);

// states[*grid, 2^n]: complex amplitudes (re and im in turn), or their squares, real.
template <class T>
void read_states(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, const Rowed& features,
                 bool squares, T* states, const Threads& threads);

// Gradients of sum(cotangents * values), summed over the grid where their own sizes are 1; null is not wanted.
template <class T>
void pull_back(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, const Rowed& features,
               const Rowed& cotangents, T* param_gradients, const std::vector<int64_t>& param_sizes,
               T* feature_gradients, const std::vector<int64_t>& feature_sizes, const Threads& threads);

}  // namespace qjax
