// How a grid's circuits are spread over vectors and threads.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include "memory.h"
#include "prefixes.h"
#include "workspace.h"

namespace qjax {

// Below this much estimated work another thread costs more than it saves.
inline constexpr double kWorthAThread = 60e3;  // ns
inline constexpr double kVectorStep = 0.5;     // ns for one gate on one vector, roughly
inline constexpr double kPrepare = 20;         // ns for an angle, with its share of a matrix
inline constexpr double kPrepareLanes = 120;   // the same on every lane
inline constexpr int kCacheBits = 19;          // of a state in bytes; twice as much costs half as much again
inline constexpr double kThirdCache = 1 << 25;   // bytes of states that threads hold side by side
inline constexpr double kTeamVectors = 1 << 11;  // fewer are not worth meeting after every pass

// Runs of sets that share prefixes: enough for threads to share, each long enough that its first set, which begins
// anew, does not count.
inline constexpr int64_t kRunsPerThread = 4, kLeastRun = 16;

inline double cache_factor(int bits) { return std::clamp(1 + 0.5 * (bits - kCacheBits), 1.0, 3.5); }

// How a grid's circuits are spread over blocks, each one vector of circuits.
struct Layout {
  int lane_bits;      // qubits that lie within a vector: none while vectors can be filled and stay in cache
  bool mixed;         // whether a block's circuits may have different parameters
  int64_t per_block;  // circuits
  int64_t sets, per_set;  // runs of circuits that share their parameters, unless mixed
  int64_t blocks_per_set;
  double time;        // estimated, on one thread, ns
  bool as_team;       // whether all threads work on one block after the other, not on one each
  int64_t blocks() const { return sets * blocks_per_set; }
};

// `saved` of the passes fall away where circuits of a block have the same parameters.
template <class T>
Layout choose_layout(const Plan& plan, const Schedule& reference, const Sets& sets, double saved, int threads) {
  Layout best{};
  double least = INFINITY;
  for (int bits = 0; 1 << bits <= Lanes<T>::kWidth && bits < plan.num_qubits; ++bits)
    for (bool mixed : {false, true}) {
      if (mixed && sets.count == 1) continue;
      Layout layout{};
      layout.lane_bits = bits;
      layout.mixed = mixed;
      layout.per_block = Lanes<T>::kWidth >> bits;
      layout.sets = mixed ? 1 : sets.count;
      layout.per_set = mixed ? sets.count * sets.circuits : sets.circuits;
      layout.blocks_per_set = (layout.per_set + layout.per_block - 1) / layout.per_block;
      const double vectors = double(int64_t(1) << (plan.num_qubits - bits));
      const int byte_bits = plan.num_qubits - bits + std::countr_zero(sizeof(Amp<T>));
      const double lanes = (1 + 0.1 * bits) * (mixed ? 1.1 : 1);  // work within vectors, and tables for each lane
      const double left = mixed ? 1 : 1 - saved;
      const double run = kVectorStep * (reference.work + 1) * vectors * lanes * cache_factor(byte_bits) * left;
      const double shared = mixed ? 0 : kPrepare * double(reference.turns.size());
      const double own = kPrepareLanes * double(mixed ? reference.turns.size() : size_t(reference.num_lane_turns));
      layout.time = layout.blocks() * (run + own) + layout.sets * shared;
      const double blocks = std::max<double>(1, layout.blocks()), turns = std::min<double>(threads, blocks);
      // States that leave the caches together are better shared than held side by side.
      const bool leaves = byte_bits > kCacheBits + 2 && std::ldexp(threads, byte_bits) > kThirdCache;
      layout.as_team = threads > 1 && vectors >= kTeamVectors && (blocks < threads || leaves);
      const double time = layout.time < kWorthAThread ? layout.time
                          : layout.as_team            ? layout.time / threads
                                                      : layout.time / blocks * std::ceil(blocks / turns);
      if (time < least) best = layout, least = time;
    }
  return best;
}

// How many sets a thread takes one after the other, when part of their passes falls away for all but the first; 1
// where as many threads as there are had better take them one by one.
inline int64_t sets_per_run(const Layout& layout, double saved, int threads) {
  if (threads == 1 || layout.as_team) return layout.sets;
  const int64_t groups = layout.blocks_per_set, most = std::max<int64_t>(1, layout.sets / kLeastRun);
  const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const int64_t runs = up(std::clamp<int64_t>(most * groups, threads, int64_t(kRunsPerThread) * threads), groups);
  const int64_t per_run = up(layout.sets, std::min(runs, layout.sets));
  const double shared = double(up(up(layout.sets, per_run) * groups, threads)) * (1 + double(per_run - 1) * (1 - saved));
  return shared < double(up(layout.sets * groups, threads)) ? per_run : 1;
}

template <class T>
class Grid {
 public:
  Grid(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, const Rowed& features, bool backward,
       bool exact_state, const Threads& threads)
      : plan_(plan), backward_(backward), threads_(threads), circuits_(product(grid)) {
    const double state = std::ldexp(2.0 * sizeof(T), plan.num_qubits), states = 1 + backward + plan.has_dense;
    check_memory(states * state);
    const auto reference = plan.schedules->get(plan, 0, exact_state);
    const Sets sets(grid, params);
    layout_ = choose_layout<T>(plan, *reference, sets, 0, threads.count);
    if (!backward && params.data && circuits_ > 0) look_for_prefixes(*reference, grid, sets, params, features, exact_state);
    schedule_ = plan.schedules->get(plan, layout_.lane_bits, exact_state);
    const double time = layout_.time * (backward ? 4 : 1);
    const int64_t most = layout_.as_team ? Team::kParts : runs();
    helpers_ = time < kWorthAThread ? 0 : std::max(0, int(std::min<int64_t>(threads.count, most)) - 1);
    check_memory((layout_.as_team ? 1 : helpers_ + 1) * (states + keeps_prefixes()) * state * layout_.per_block);
  }

  const Schedule& schedule() const { return *schedule_; }
  int per_block() const { return int(layout_.per_block); }
  bool mixed() const { return layout_.mixed; }
  int threads() const { return helpers_ + 1; }
  int lane_bits() const { return layout_.lane_bits; }
  bool keeps_prefixes() const { return prefixes_.saved > 0; }
  // The circuit of a lane; lanes beyond the last circuit repeat it.
  int64_t circuit(int64_t block, int lane) const {
    const int64_t set = block / layout_.blocks_per_set;
    return set * layout_.per_set + std::min(place(block, lane), layout_.per_set - 1);
  }
  bool is_real(int64_t block, int lane) const { return place(block, lane) < layout_.per_set; }

  // work(workspace, block) for every block. Without prefixes a run is a block, and they are claimed in order.
  template <class Work>
  void for_each_block(Work&& work) const {
    if (circuits_ == 0) return;
    if (layout_.as_team || helpers_ == 0) {
      Workspace<T> space;
      const auto buffer = fit_out(space);
      std::optional<Team> team;
      if (helpers_ > 0) space.team = &team.emplace(threads_.submit, helpers_);
      for (int64_t run = 0; run < runs(); ++run) for_each_of_run(space, run, work);
      return;
    }
    share(threads_.submit, helpers_, runs(), [&](const std::function<int64_t()>& claim) {
      // Before a block is claimed: nothing may fail between a claim and its turn.
      Workspace<T> space;
      const auto buffer = fit_out(space);
      for (int64_t run; (run = claim()) >= 0;) for_each_of_run(space, run, work);
    });
  }

 private:
  // Blocks that one thread takes one after the other: the same circuits of sets that begin alike, or a single one.
  int64_t runs() const {
    return keeps_prefixes() ? layout_.blocks_per_set * ((layout_.sets + per_run_ - 1) / per_run_) : layout_.blocks();
  }

  template <class Work>
  void for_each_of_run(Workspace<T>& space, int64_t run, Work&& work) const {
    if (!keeps_prefixes()) return work(space, run);
    const int64_t part = run % layout_.blocks_per_set, begin = run / layout_.blocks_per_set * per_run_;
    const int64_t end = std::min(begin + per_run_, layout_.sets);
    for (int64_t k = begin; k < end; ++k) {
      space.resume.keep = k + 1 < end ? prefixes_.common[k] : 0;
      work(space, prefixes_.order[k] * layout_.blocks_per_set + part);
      space.resume.from = space.resume.keep;
    }
  }

  // Lays the circuits out for sets that begin alike, where that is faster.
  void look_for_prefixes(const Schedule& reference, const std::vector<int64_t>& grid, const Sets& sets,
                         const Rowed& params, const Rowed& features, bool exact_state) {
    const double most = sets.count > 1 ? longest_prefix(reference) : 0;
    if (most == 0) return;
    const auto chosen = [&](double saved) { return choose_layout<T>(plan_, reference, sets, saved, threads_.count); };
    // Before anything is compared: many small circuits with different parameters had better be mixed in any case.
    const Layout best = chosen(most);
    const double states = (2.0 + plan_.has_dense) * double(best.per_block) * (best.as_team ? 1 : threads_.count);
    if (best.mixed || !fits_memory(std::ldexp(states * 2 * sizeof(T), plan_.num_qubits))) return;
    const auto schedule = plan_.schedules->get(plan_, best.lane_bits, exact_state);
    Prefixes prefixes = find_prefixes<T>(plan_, *schedule, grid, sets, params, features);
    if (prefixes.saved == 0) return;
    const Layout layout = chosen(prefixes.saved);
    if (layout.mixed || layout.lane_bits != best.lane_bits) return;
    const int64_t per_run = sets_per_run(layout, prefixes.saved, threads_.count);
    if (per_run == 1) return;
    layout_ = layout;
    prefixes_ = std::move(prefixes);
    per_run_ = per_run;
  }

  std::unique_ptr<Buffer> fit_out(Workspace<T>& space) const {
    const auto lay_out = [&](char* memory) {
      return space.lay_out(plan_, *schedule_, layout_.mixed, backward_, keeps_prefixes(), memory);
    };
    auto buffer = std::make_unique<Buffer>(lay_out(nullptr));
    lay_out(buffer->data());
    return buffer;
  }

  int64_t place(int64_t block, int lane) const {
    return block % layout_.blocks_per_set * layout_.per_block + (lane >> layout_.lane_bits);
  }

  const Plan& plan_;
  bool backward_;
  const Threads& threads_;
  int64_t circuits_;
  Layout layout_;
  Prefixes prefixes_;
  int64_t per_run_ = 1;  // sets
  std::shared_ptr<const Schedule> schedule_;
  int helpers_;
};

}  // namespace qjax
