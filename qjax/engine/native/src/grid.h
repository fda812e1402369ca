// How a grid's circuits are spread over vectors and threads.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <optional>

#include "engine.h"
#include "memory.h"
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

inline double cache_factor(int bits) { return std::clamp(1 + 0.5 * (bits - kCacheBits), 1.0, 3.5); }

inline int64_t product(const std::vector<int64_t>& sizes) {
  int64_t out = 1;
  for (int64_t size : sizes) out *= size;
  return out;
}

// The rows of an array that the circuits of the grid take, one after the other.
class RowOf {
 public:
  // The grid has to stay as long as this.
  RowOf(const std::vector<int64_t>& grid, const std::vector<int64_t>& sizes) : grid_(grid), strides_(grid.size()) {
    int64_t stride = 1;
    for (size_t d = grid.size(); d-- > 0; stride *= sizes[d]) strides_[d] = sizes[d] == 1 ? 0 : stride;
  }
  int64_t operator()(int64_t circuit) const {
    int64_t row = 0;
    for (size_t d = grid_.size(); d-- > 0; circuit /= grid_[d]) row += circuit % grid_[d] * strides_[d];
    return row;
  }
  // The row of the circuit after one that takes `row`: along the last axis it needs no division.
  int64_t after(int64_t circuit, int64_t row) const {
    return (circuit + 1) % grid_.back() ? row + strides_.back() : (*this)(circuit + 1);
  }

 private:
  const std::vector<int64_t>& grid_;
  std::vector<int64_t> strides_;
};

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

template <class T>
Layout choose_layout(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, int threads) {
  const auto reference = plan.schedules->get(plan, 0, false);
  size_t trailing = grid.size();
  while (trailing > 0 && params.sizes[trailing - 1] == 1) --trailing;
  int64_t sets = 1, per_set = 1;
  for (size_t d = 0; d < grid.size(); ++d) (d < trailing ? sets : per_set) *= grid[d];
  Layout best{};
  double least = INFINITY;
  for (int bits = 0; 1 << bits <= Lanes<T>::kWidth && bits < plan.num_qubits; ++bits)
    for (bool mixed : {false, true}) {
      if (mixed && sets == 1) continue;
      Layout layout{bits, mixed, Lanes<T>::kWidth >> bits, mixed ? 1 : sets, mixed ? sets * per_set : per_set, 0, 0, false};
      layout.blocks_per_set = (layout.per_set + layout.per_block - 1) / layout.per_block;
      const double vectors = double(int64_t(1) << (plan.num_qubits - bits));
      const int byte_bits = plan.num_qubits - bits + std::countr_zero(sizeof(Amp<T>));
      const double lanes = (1 + 0.1 * bits) * (mixed ? 1.1 : 1);  // work within vectors, and tables for each lane
      const double run = kVectorStep * (reference->work + 1) * vectors * lanes * cache_factor(byte_bits);
      const double shared = mixed ? 0 : kPrepare * double(reference->turns.size());
      const double own = kPrepareLanes * double(mixed ? reference->turns.size() : size_t(reference->num_lane_turns));
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

template <class T>
class Grid {
 public:
  Grid(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& params, bool backward, bool exact_state,
       const Threads& threads)
      : plan_(plan), backward_(backward), threads_(threads), circuits_(product(grid)) {
    const int states = 1 + backward + plan.has_dense;
    const double amplitudes = std::ldexp(1.0, plan.num_qubits) * states * 2 * sizeof(T);
    check_memory(amplitudes);
    layout_ = choose_layout<T>(plan, grid, params, threads.count);
    schedule_ = plan.schedules->get(plan, layout_.lane_bits, exact_state);
    const double time = layout_.time * (backward ? 4 : 1);
    const int64_t most = layout_.as_team ? Team::kParts : layout_.blocks();
    helpers_ = time < kWorthAThread ? 0 : std::max(0, int(std::min<int64_t>(threads.count, most)) - 1);
    check_memory((layout_.as_team ? 1 : helpers_ + 1) * amplitudes * layout_.per_block);
  }

  const Schedule& schedule() const { return *schedule_; }
  int per_block() const { return int(layout_.per_block); }
  bool mixed() const { return layout_.mixed; }
  int threads() const { return helpers_ + 1; }
  int lane_bits() const { return layout_.lane_bits; }
  // The circuit of a lane; lanes beyond the last circuit repeat it.
  int64_t circuit(int64_t block, int lane) const {
    const int64_t set = block / layout_.blocks_per_set;
    return set * layout_.per_set + std::min(place(block, lane), layout_.per_set - 1);
  }
  bool is_real(int64_t block, int lane) const { return place(block, lane) < layout_.per_set; }

  // work(workspace, block) for every block.
  template <class Work>
  void for_each_block(Work&& work) const {
    if (circuits_ == 0) return;
    if (layout_.as_team || helpers_ == 0) {
      Workspace<T> space;
      const auto buffer = fit_out(space);
      std::optional<Team> team;
      if (helpers_ > 0) space.team = &team.emplace(threads_.submit, helpers_);
      for (int64_t block = 0; block < layout_.blocks(); ++block) work(space, block);
      return;
    }
    share(threads_.submit, helpers_, layout_.blocks(), [&](const std::function<int64_t()>& claim) {
      // Before a block is claimed: nothing may fail between a claim and its turn.
      Workspace<T> space;
      const auto buffer = fit_out(space);
      for (int64_t block; (block = claim()) >= 0;) work(space, block);
    });
  }

 private:
  std::unique_ptr<Buffer> fit_out(Workspace<T>& space) const {
    auto buffer = std::make_unique<Buffer>(space.lay_out(plan_, *schedule_, layout_.mixed, backward_, nullptr));
    space.lay_out(plan_, *schedule_, layout_.mixed, backward_, buffer->data());
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
  std::shared_ptr<const Schedule> schedule_;
  int helpers_;
};

}  // namespace qjax
