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
  Submit submit;
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

// values[*grid] = <O> of the only observable, and its slopes [*grid, P] and [*grid, F] at every circuit; null is
// not wanted.
template <class T>
void differentiate(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, const Rowed& features,
                   T* values, T* param_slopes, T* feature_slopes, const Threads& threads);

// What circuits take, for people who want to know before they run them: S parameter sets times B samples.
struct Description {
  double passes = 0;         // over a circuit's state; the first layer takes none
  double flops = 0;          // of a circuit
  double bytes = 0;          // of its state that sweeps, each of one pass or several, read and write
  double working_set = 0;    // bytes of one thread
  double per_vector = 0;     // circuits that run side by side in a thread
  double threads = 0;
};
template <class T>
Description describe(const Plan& plan, int64_t sets, int64_t samples, bool backward, const Threads& threads);

}  // namespace qjax
