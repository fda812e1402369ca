// Parameter sets that begin alike: what comes before they differ is simulated once.
//
// The shifted sets of a parameter shift differ in one angle each, and the sets of a circuit that encodes its
// features first in nothing of that. Where a set's first number of its own enters late, its circuits begin with
// the states that those of the set before had there.
#pragma once

#include <algorithm>
#include <numeric>

#include "engine.h"
#include "rows.h"
#include "schedule.h"

namespace qjax {

// A state is kept and taken up again by copying it, which has to be worth it.
inline constexpr int32_t kWorthAPrefix = 2;  // passes

// The sets of a grid: runs of circuits that share their parameters. The first axes tell them apart.
struct Sets {
  size_t axes;
  int64_t count = 1, circuits = 1;  // of each

  Sets(const std::vector<int64_t>& grid, const Rowed& params) : axes(grid.size()) {
    while (axes > 0 && params.sizes[axes - 1] == 1) --axes;
    for (size_t d = 0; d < grid.size(); ++d) (d < axes ? count : circuits) *= grid[d];
  }
};

struct Prefixes {
  std::vector<int64_t> order;   // of the sets, so that neighbours have much in common
  std::vector<int32_t> common;  // sweeps that a set begins with like the one after it; 0 where that is not worth it
  double saved = 0;             // of all passes
};

// Finds where two sets begin to differ.
template <class T>
class Difference {
 public:
  Difference(const Plan& plan, const Schedule& schedule, const std::vector<int64_t>& grid, const Sets& sets,
             const Rowed& params, const Rowed& features)
      : schedule_(schedule), circuits_(sets.circuits), num_params_(plan.num_params), num_features_(plan.num_features),
        params_(static_cast<const T*>(params.data)), features_(static_cast<const T*>(features.data)),
        param_row_(grid, params.sizes), feature_row_(grid, features.sizes) {
    const auto own = features.sizes.begin() + sets.axes;
    has_own_features_ = std::any_of(features.sizes.begin(), own, [](int64_t size) { return size != 1; });
  }

  // Sweeps that come before.
  int32_t operator()(int64_t a, int64_t b) const {
    int32_t first = std::max(0, int32_t(schedule_.sweeps.size()) - 1);  // the last one measures
    a *= circuits_, b *= circuits_;
    find(params_, num_params_, param_row_(a), param_row_(b), schedule_.param_sweeps, first);
    for (int64_t c = 0; has_own_features_ && c < circuits_ && first > 0; ++c)
      find(features_, num_features_, feature_row_(a + c), feature_row_(b + c), schedule_.feature_sweeps, first);
    return first;
  }

 private:
  static void find(const T* numbers, int length, int64_t a, int64_t b, const std::vector<int32_t>& sweeps, int32_t& first) {
    if (a == b) return;
    const T *x = numbers + a * length, *y = numbers + b * length;
    constexpr int kTogether = 16;  // most are the same, and to see that of several at once is faster
    for (int k = 0; k < length && first > 0;) {
      const int end = std::min(k + kTogether, length);
      int differ = 0;
      for (int j = k; j < end; ++j) differ |= x[j] != y[j];
      if (differ) {
        for (; k < end; ++k)
          if (x[k] != y[k]) first = std::min(first, sweeps[k]);
      }
      k = end;
    }
  }

  const Schedule& schedule_;
  int64_t circuits_;
  int num_params_, num_features_;
  bool has_own_features_;  // whether each set has
  const T *params_, *features_;
  RowOf param_row_, feature_row_;
};

inline int32_t passes_before(const Schedule& schedule, int32_t sweep) {
  return schedule.sweeps.empty() ? 0 : schedule.sweeps[sweep].begin;
}

template <class T>
Prefixes find_prefixes(const Plan& plan, const Schedule& schedule, const std::vector<int64_t>& grid, const Rowed& params,
                       const Rowed& features) {
  Prefixes out;
  const Sets sets(grid, params);
  if (!params.data || sets.count < 2 || product(grid) == 0 || passes_before(schedule, schedule.last_entry) < kWorthAPrefix) return out;
  const Difference<T> difference(plan, schedule, grid, sets, params, features);
  // Of two sets shifted in the same angle the difference says where it enters; of others, which enters first.
  std::vector<int32_t> entry(sets.count, 0);
  for (int64_t set = 1; set < sets.count; ++set) {
    const int32_t first = difference(set - 1, set);
    entry[set - 1] = std::max(entry[set - 1], first);
    entry[set] = first;
  }
  out.order.resize(sets.count);
  std::iota(out.order.begin(), out.order.end(), int64_t(0));
  std::stable_sort(out.order.begin(), out.order.end(), [&](int64_t a, int64_t b) { return entry[a] < entry[b]; });
  out.common.assign(sets.count, 0);
  double saved = 0;
  for (int64_t k = 0; k + 1 < sets.count; ++k) {
    const int32_t sweep = difference(out.order[k], out.order[k + 1]);
    const int32_t passes = passes_before(schedule, sweep);
    if (passes < kWorthAPrefix) continue;
    out.common[k] = sweep;
    saved += passes - 1;
  }
  out.saved = saved / (double(sets.count) * double(schedule.passes.size()));
  return out;
}

}  // namespace qjax
