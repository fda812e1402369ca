#include "engine.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "memory.h"
#include "run.h"

namespace qjax {
namespace {

// Below this much estimated work another thread costs more than it saves.
constexpr double kWorthAThread = 60e3;  // ns
constexpr double kVectorStep = 0.5;     // ns for one gate on one vector, roughly
constexpr double kPrepare = 20;         // ns for an angle, with its share of a matrix
constexpr double kPrepareLanes = 120;   // the same on every lane
constexpr int kCacheBits = 19;          // of a state in bytes; twice as much costs half as much again

double cache_factor(int bits) { return std::clamp(1 + 0.5 * (bits - kCacheBits), 1.0, 3.5); }
constexpr double kTeamVectors = 1 << 11;  // fewer are not worth meeting after every pass

int64_t product(const std::vector<int64_t>& sizes) {
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
      const double run = kVectorStep * (reference->work + 1) * vectors * (1 + 0.1 * bits) * cache_factor(byte_bits);
      const double shared = mixed ? 0 : kPrepare * double(reference->turns.size());
      const double own = kPrepareLanes * double(mixed ? reference->turns.size() : size_t(reference->num_lane_turns));
      layout.time = layout.blocks() * (run + own) + layout.sets * shared;
      const double blocks = std::max<double>(1, layout.blocks()), turns = std::min<double>(threads, blocks);
      // States that leave the caches are better shared than held side by side.
      layout.as_team = threads > 1 && vectors >= kTeamVectors && (blocks < threads || byte_bits > kCacheBits + 2);
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

template <class T>
void find_rows(Rows<T>& rows, const Plan& plan, const Grid<T>& grid, int64_t block, const Rowed& params,
               const RowOf& param_row, const Rowed& features, const RowOf& feature_row) {
  rows = {};
  int64_t circuit = grid.circuit(block, 0), param = param_row(circuit), feature = feature_row(circuit);
  for (int l = 0; l < Lanes<T>::kWidth; ++l) {
    if (grid.circuit(block, l) != circuit) {  // then it is the next one
      param = param_row.after(circuit, param);
      feature = feature_row.after(circuit++, feature);
    }
    rows.params[l] = static_cast<const T*>(params.data) + param * plan.num_params;
    rows.features[l] = static_cast<const T*>(features.data) + feature * plan.num_features;
  }
}

// The rows of a gradient that one block adds to: at most one for each lane.
struct BlockRows {
  int64_t rows[64];
  size_t count = 0;
};

// Sums of gradients over the blocks, in double precision until the end.
class Gradient {
 public:
  Gradient(bool wanted, const std::vector<int64_t>& grid, const std::vector<int64_t>& sizes, int length)
      : wanted_(wanted), length_(length), row_(grid, wanted ? sizes : grid),
        sums_(wanted ? product(sizes) * length : 0) {}

  // Gives lanes the places in `memory` where a block adds its own; returns the memory behind them.
  template <class T>
  double* places(const Grid<T>& grid, int64_t block, double** lanes, double* memory, BlockRows& block_rows) {
    int64_t* const rows = block_rows.rows;
    size_t& count = block_rows.count;
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      lanes[l] = nullptr;
      if (!wanted_) continue;
      const int64_t row = row_(grid.circuit(block, l));
      const size_t place = std::find(rows, rows + count, row) - rows;
      if (place == count) rows[count++] = row;
      lanes[l] = memory + place * length_;
    }
    std::fill_n(memory, count * length_, 0.0);
    return memory + count * length_;
  }

  void add(const double* memory, const BlockRows& block_rows) {
    for (size_t place = 0; place < block_rows.count; ++place)
      for (int k = 0; k < length_; ++k) sums_[block_rows.rows[place] * length_ + k] += memory[place * length_ + k];
  }

  template <class T>
  void write(T* out) const {
    for (size_t k = 0; k < sums_.size(); ++k) out[k] = T(sums_[k]);
  }

 private:
  bool wanted_;
  int length_;
  RowOf row_;
  std::vector<double> sums_;
};

}  // namespace

template <class T>
void evaluate(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
              T* values, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, false, false, threads);
  const RowOf param_row(sizes, params.sizes), feature_row(sizes, features.sizes);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    Rows<T> rows;
    find_rows(rows, plan, grid, block, params, param_row, features, feature_row);
    Runner<T>(plan, grid.schedule(), space, rows).evaluate();
    for (int l = 0; l < Lanes<T>::kWidth; l += 1 << grid.lane_bits())
      if (grid.is_real(block, l))
        for (int o = 0; o < plan.num_observables; ++o)
          values[grid.circuit(block, l) * plan.num_observables + o] = space.results[o][l];
  });
}

template <class T>
void read_states(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
                 bool squares, T* states, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, false, !squares, threads);
  const RowOf param_row(sizes, params.sizes), feature_row(sizes, features.sizes);
  const size_t length = (size_t(1) << plan.num_qubits) * (squares ? 1 : 2);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    Rows<T> rows;
    find_rows(rows, plan, grid, block, params, param_row, features, feature_row);
    Runner<T> runner(plan, grid.schedule(), space, rows);
    runner.forward();
    const Amp<T> phase = squares ? Amp<T>{} : runner.global_phase();
    for (int l = 0; l < Lanes<T>::kWidth; l += 1 << grid.lane_bits())
      if (grid.is_real(block, l)) runner.read(l, squares ? nullptr : &phase, states + grid.circuit(block, l) * length);
  });
}

template <class T>
void pull_back(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
               const Rowed& cotangents, T* param_out, const std::vector<int64_t>& param_sizes, T* feature_out,
               const std::vector<int64_t>& feature_sizes, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, true, false, threads);
  const RowOf param_row(sizes, params.sizes), feature_row(sizes, features.sizes);
  const RowOf cotangent_row(sizes, cotangents.sizes);
  Gradient param_sums(param_out != nullptr, sizes, param_sizes, plan.num_params);
  Gradient feature_sums(feature_out != nullptr, sizes, feature_sizes, plan.num_features);
  Turns turns;
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    Rows<T> rows;
    find_rows(rows, plan, grid, block, params, param_row, features, feature_row);
    BlockRows param_rows, feature_rows;
    double* behind = param_sums.places(grid, block, rows.param_gradients, space.gradients, param_rows);
    feature_sums.places(grid, block, rows.feature_gradients, behind, feature_rows);
    rows.shared_param_gradients = param_rows.count == 1;
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      const T* row = static_cast<const T*>(cotangents.data) +
                     cotangent_row(grid.circuit(block, l)) * plan.num_observables;
      for (int o = 0; o < plan.num_observables; ++o) space.results[o][l] = grid.is_real(block, l) ? row[o] : T(0);
    }
    Runner<T>(plan, grid.schedule(), space, rows).pull_back(param_out != nullptr, feature_out != nullptr);
    turns.wait_for(block);
    param_sums.add(space.gradients, param_rows);
    feature_sums.add(behind, feature_rows);
    turns.done(block);
  });
  if (param_out) param_sums.write(param_out);
  if (feature_out) feature_sums.write(feature_out);
}

template <class T>
Description describe(const Plan& plan, int64_t sets, int64_t samples, bool backward, const Threads& threads) {
  const Rowed params{nullptr, {sets, 1}};
  const Grid<T> grid(plan, {sets, samples}, params, backward, false, threads);
  const double amplitudes = std::ldexp(1.0, plan.num_qubits);
  Description out;
  Workspace<T> space;
  // The way back does every pass on both states, and reads overlaps off them: 8 for each one-qubit gate.
  const double times = backward ? 3 : 1, overlaps = backward ? 8 : 0;
  const Schedule& schedule = grid.schedule();
  for (const Sweep& sweep : schedule.sweeps) {
    if (schedule.passes[sweep.begin].kind == Pass::kMeasure) continue;
    // Small tiles are for the way forward alone.
    const double trips = backward && sweep.is_small ? 1 + 2 * (sweep.end - sweep.begin) : times;
    out.bytes += trips * 2 * amplitudes * 2 * sizeof(T);
    for (int32_t k = sweep.begin; k < sweep.end; ++k) {
      const Pass& pass = schedule.passes[k];
      const double qubits = pass.kind == Pass::kBlock ? double(pass.chains.size() + pass.lane_chains.size()) : 0;
      // A complex product has 6 operations; RY, its cosine taken out, 2 on each of the parts.
      double flops = (pass.strings.empty() ? 0 : 6) + 4 * qubits;
      if (pass.kind == Pass::kRotation) flops += 6;
      if (pass.kind == Pass::kDense) flops += std::ldexp(8.0, int(pass.dense->qubits.size()));
      out.passes += times;
      out.flops += (times * flops + overlaps * qubits) * amplitudes;
    }
  }
  out.working_set = double(space.lay_out(plan, schedule, grid.mixed(), backward, nullptr));
  out.per_vector = grid.per_block();
  out.threads = grid.threads();
  return out;
}

template Description describe<float>(const Plan&, int64_t, int64_t, bool, const Threads&);
template Description describe<double>(const Plan&, int64_t, int64_t, bool, const Threads&);
template void evaluate<float>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, float*,
                              const Threads&);
template void evaluate<double>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, double*,
                               const Threads&);
template void read_states<float>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, bool, float*,
                                 const Threads&);
template void read_states<double>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, bool,
                                  double*, const Threads&);
template void pull_back<float>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, const Rowed&,
                               float*, const std::vector<int64_t>&, float*, const std::vector<int64_t>&,
                               const Threads&);
template void pull_back<double>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&,
                                const Rowed&, double*, const std::vector<int64_t>&, double*,
                                const std::vector<int64_t>&, const Threads&);

}  // namespace qjax
