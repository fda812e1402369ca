// What one thread needs to run circuits, in one piece of memory.
#pragma once

#include "adjoint.h"
#include "parallel.h"

namespace qjax {

// Sweeps that a block need not begin with, as `prefix` is what comes after them; and after how many of them it is to
// keep its state there for the next one (0: not at all).
struct Resume {
  int32_t from = 0, keep = 0;
};

template <class T>
struct Workspace {
  using V = typename Lanes<T>::V;
  State<T> psi{}, lambda{}, spare{};  // spare: dense unitaries go from one buffer to another
  State<T> prefix{};
  Resume resume;
  Values<T> values;
  Amp<T>* table;     // of a sweep
  Gates<T>* gates;   // of a sweep's passes
  Overlaps<T>* parts;  // of a sweep's passes, for each part of a team
  V* sums;           // of a measurement, for each part of a team; on the way back what lambda starts from
  Team* team = nullptr;  // who shares the passes, if anybody
  Amp<T>* dense;     // coefficients
  Amp<T>* term_weights;
  V* term_sums;
  V* results;        // of the observables; cotangents on the way back
  double* gradients;  // [number][lane], those of parameters first

  // Lays the parts out from `memory` (null to learn the size only); returns the size.
  size_t lay_out(const Plan& plan, const Schedule& schedule, bool mixed, bool backward, bool keeps_prefixes,
                 char* memory) {
    size_t size = 0;
    auto take = [&]<class U>(U*& part, size_t count) {
      part = reinterpret_cast<U*>(memory + size);
      size += (count * sizeof(U) + 127) / 128 * 128;
    };
    const int lane_bits = schedule.lane_bits;
    const size_t vectors = size_t(1) << (plan.num_qubits - lane_bits);
    psi = lambda = spare = prefix = {nullptr, plan.num_qubits, lane_bits};
    take(psi.data, vectors);
    if (backward) take(lambda.data, vectors);
    if (plan.has_dense) take(spare.data, vectors);
    if (keeps_prefixes) take(prefix.data, vectors);
    if (plan.has_dense) take(dense, 256);
    values.lay_out(schedule, mixed, take);
    take(table, schedule.table_size);
    take(gates, schedule.longest_sweep);
    take(sums, size_t(Team::kParts) << kMaxLocalBits);
    if (backward) take(parts, size_t(Team::kParts) * schedule.longest_sweep);
    take(term_weights, plan.terms.size());
    take(term_sums, plan.terms.size());
    take(results, plan.num_observables);
    if (backward) take(gradients, size_t(Lanes<T>::kWidth) * (size_t(plan.num_params) + plan.num_features));
    return size;
  }
};

}  // namespace qjax
