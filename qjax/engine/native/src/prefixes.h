// Parameter sets that begin alike: what comes before they differ is simulated once.
//
// The shifted sets of a parameter shift differ in one angle each; sets of a circuit that encodes its features first
// differ only after that. Where a set's first number of its own enters late, its circuits begin with the states that
// those of the set before had there.
#pragma once

#include <algorithm>
#include <numeric>

#include "engine.h"
#include "rows.h"
#include "schedule.h"

namespace qjax {

// Of fewer passes a prefix is not worth to be kept. What comes after a first pass alone may lie in its tables only.
inline constexpr int32_t kWorthAPrefix = 2;

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
  std::vector<int32_t> common;  // sweeps that a set keeps for the one after it; 0 for none
  double saved = 0;             // part of all passes
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
    a *= circuits_, b *= circuits_;
    const int32_t most = std::max(0, int32_t(schedule_.sweeps.size()) - 1);  // the last one measures
    int32_t first = first_entry(params_, num_params_, param_row_(a), param_row_(b), schedule_.param_sweeps, most);
    for (int64_t c = 0; has_own_features_ && c < circuits_ && first > 0; ++c)
      first = first_entry(features_, num_features_, feature_row_(a + c), feature_row_(b + c), schedule_.feature_sweeps, first);
    return first;
  }

 private:
  // The first sweep that a number enters in which two rows differ, at most `first`.
  static int32_t first_entry(const T* numbers, int length, int64_t a, int64_t b, const std::vector<int32_t>& sweeps,
                             int32_t first) {
    if (a == b) return first;
    const T *x = numbers + a * length, *y = numbers + b * length;
    constexpr int kTogether = 16;  // most are the same, and to see that of several at once is faster
    for (int k = 0; k < length && first > 0;) {
      const int end = std::min(k + kTogether, length);
      int differ = 0;
      for (int j = k; j < end; ++j) differ |= x[j] != y[j];
      for (; differ && k < end; ++k)
        if (x[k] != y[k]) first = std::min(first, sweeps[k]);
      k = end;
    }
    return first;
  }

  const Schedule& schedule_;
  int64_t circuits_;
  int num_params_, num_features_;
  bool has_own_features_;  // whether each set has
  const T *params_, *features_;
  RowOf param_row_, feature_row_;
};

// The part of a schedule's passes that no two sets can have more of in common.
inline double longest_prefix(const Schedule& schedule) {
  const int32_t passes = schedule.passes_before(schedule.last_entry);
  return passes < kWorthAPrefix ? 0 : double(passes) / double(schedule.passes.size());
}

template <class T>
Prefixes find_prefixes(const Plan& plan, const Schedule& schedule, const std::vector<int64_t>& grid, const Sets& sets,
                       const Rowed& params, const Rowed& features) {
  const auto is_worth = [&](int32_t sweep) { return schedule.passes_before(sweep) >= kWorthAPrefix; };
  const Difference<T> difference(plan, schedule, grid, sets, params, features);
  // Of two sets shifted in the same angle the difference says where it enters; of others, which enters first.
  std::vector<int32_t> entry(sets.count, 0);
  for (int64_t set = 1; set < sets.count; ++set) {
    const int32_t first = difference(set - 1, set);
    entry[set - 1] = std::max(entry[set - 1], first);
    entry[set] = first;
  }
  if (std::none_of(entry.begin(), entry.end(), is_worth)) return {};
  Prefixes out;
  out.order.resize(sets.count);
  std::iota(out.order.begin(), out.order.end(), int64_t(0));
  std::stable_sort(out.order.begin(), out.order.end(), [&](int64_t a, int64_t b) { return entry[a] < entry[b]; });
  out.common.assign(sets.count, 0);
  double passes = 0;
  for (int64_t k = 0; k + 1 < sets.count; ++k) {
    const int32_t sweep = difference(out.order[k], out.order[k + 1]), from = k > 0 ? out.common[k - 1] : 0;
    // What is kept further on is of no use to the next one, and what lies before has gone by.
    if (!is_worth(sweep) || sweep < from) continue;
    out.common[k] = sweep;
    passes += schedule.passes_before(sweep);
  }
  out.saved = passes / (double(sets.count) * double(schedule.passes.size()));
  return out;
}

}  // namespace qjax
