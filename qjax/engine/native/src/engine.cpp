#include "engine.h"

#include <algorithm>
#include <cmath>

#include "memory.h"
#include "run.h"

namespace qjax {
namespace {

// Below this much estimated work another thread costs more than it saves.
constexpr double kWorthAThread = 60e3;  // ns
constexpr double kVectorStep = 2.0;     // ns for one gate on one vector, roughly
constexpr double kCacheBytes = 1 << 20;
// What a block's angles and matrices cost for each gate, in vectors.
constexpr double kMatrixCost = 64;

int64_t product(const std::vector<int64_t>& sizes) {
  int64_t out = 1;
  for (int64_t size : sizes) out *= size;
  return out;
}

// The row of an array that a circuit of the grid takes.
class RowOf {
 public:
  RowOf(const std::vector<int64_t>& grid, const std::vector<int64_t>& sizes) : grid_(grid), strides_(grid.size()) {
    int64_t stride = 1;
    for (size_t d = grid.size(); d-- > 0; stride *= sizes[d]) strides_[d] = sizes[d] == 1 ? 0 : stride;
  }
  int64_t operator()(int64_t circuit) const {
    int64_t row = 0;
    for (size_t d = grid_.size(); d-- > 0; circuit /= grid_[d]) row += circuit % grid_[d] * strides_[d];
    return row;
  }

 private:
  std::vector<int64_t> grid_, strides_;
};

// Estimated time of one block, in nanoseconds.
template <class T>
double block_time(const Plan& plan, int lane_bits, int states) {
  const double vectors = std::ldexp(1.0, plan.num_qubits - lane_bits);
  const bool spills = vectors * states * sizeof(Amp<T>) > kCacheBytes;
  return kVectorStep * (plan.work + 1) * (vectors * (1 + 0.15 * lane_bits) * (spills ? 2 : 1) + kMatrixCost);
}

// How many qubits lie within a vector: none while vectors can be filled with circuits and stay in cache.
template <class T>
int choose_lane_bits(const Plan& plan, int64_t circuits, int threads, int states) {
  int best = 0;
  double least = INFINITY;
  for (int bits = 0; 1 << bits <= Lanes<T>::kWidth && bits < plan.num_qubits; ++bits) {
    const int64_t per_block = Lanes<T>::kWidth >> bits;
    const double blocks = double((circuits + per_block - 1) / per_block);
    const double one = block_time<T>(plan, bits, states);
    const double time = one * blocks < kWorthAThread ? one * blocks : one * std::ceil(blocks / threads);
    if (time < least) best = bits, least = time;
  }
  return best;
}

template <class T>
class Grid {
 public:
  Grid(const Plan& plan, const std::vector<int64_t>& grid, bool backward, const Threads& threads)
      : plan_(plan), backward_(backward), threads_(threads), circuits_(product(grid)) {
    const int states = 1 + backward + plan.has_dense;
    lane_bits_ = choose_lane_bits<T>(plan, circuits_, threads.count, states);
    per_block_ = Lanes<T>::kWidth >> lane_bits_;
    blocks_ = (circuits_ + per_block_ - 1) / per_block_;
    const double vectors = std::ldexp(1.0, plan.num_qubits - lane_bits_);
    const double time = block_time<T>(plan, lane_bits_, states) * blocks_ * (backward ? 4 : 1);
    helpers_ = time < kWorthAThread ? 0 : int(std::min<int64_t>(threads.count, blocks_) - 1);
    helpers_ = std::max(helpers_, 0);
    check_memory((helpers_ + 1) * vectors * states * sizeof(Amp<T>));
  }

  int64_t circuits() const { return circuits_; }
  int per_block() const { return int(per_block_); }
  int lane_bits() const { return lane_bits_; }
  // The circuit of a lane; lanes beyond the last circuit repeat it.
  int64_t circuit(int64_t block, int lane) const {
    return std::min(block * per_block_ + (lane >> lane_bits_), circuits_ - 1);
  }
  bool is_real(int64_t block, int lane) const { return block * per_block_ + (lane >> lane_bits_) < circuits_; }

  // work(workspace, block) for every block.
  template <class Work>
  void for_each_block(Work&& work) const {
    if (circuits_ == 0) return;
    share(threads_.schedule, helpers_, blocks_, [&](const std::function<int64_t()>& claim) {
      // Before a block is claimed: nothing may fail between a claim and its turn.
      Workspace<T> space;
      Buffer buffer(space.lay_out(plan_, lane_bits_, backward_, nullptr));
      space.lay_out(plan_, lane_bits_, backward_, buffer.data());
      for (int64_t block; (block = claim()) >= 0;) work(space, block);
    });
  }

 private:
  const Plan& plan_;
  bool backward_;
  const Threads& threads_;
  int64_t circuits_, per_block_, blocks_;
  int lane_bits_, helpers_;
};

template <class T>
void find_rows(Rows<T>& rows, const Plan& plan, const Grid<T>& grid, int64_t block, const Rowed& params,
               const RowOf& param_row, const Rowed& features, const RowOf& feature_row) {
  rows = {};
  rows.shared_params = true;
  for (int l = 0; l < Lanes<T>::kWidth; ++l) {
    const int64_t circuit = grid.circuit(block, l);
    rows.params[l] = static_cast<const T*>(params.data) + param_row(circuit) * plan.num_params;
    rows.features[l] = static_cast<const T*>(features.data) + feature_row(circuit) * plan.num_features;
    rows.shared_params &= rows.params[l] == rows.params[0];
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
      : wanted_(wanted), length_(length), row_(wanted ? RowOf(grid, sizes) : RowOf({}, {})),
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
  const Grid<T> grid(plan, sizes, false, threads);
  const RowOf param_row(sizes, params.sizes), feature_row(sizes, features.sizes);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    Rows<T> rows;
    find_rows(rows, plan, grid, block, params, param_row, features, feature_row);
    Runner<T>(plan, space, rows, false, false).evaluate();
    for (int l = 0; l < Lanes<T>::kWidth; l += 1 << grid.lane_bits())
      if (grid.is_real(block, l))
        for (int o = 0; o < plan.num_observables; ++o)
          values[grid.circuit(block, l) * plan.num_observables + o] = space.values[o][l];
  });
}

template <class T>
void read_states(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
                 bool squares, T* states, const Threads& threads) {
  const Grid<T> grid(plan, sizes, false, threads);
  const RowOf param_row(sizes, params.sizes), feature_row(sizes, features.sizes);
  const size_t length = (size_t(1) << plan.num_qubits) * (squares ? 1 : 2);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    Rows<T> rows;
    find_rows(rows, plan, grid, block, params, param_row, features, feature_row);
    Runner<T> runner(plan, space, rows, false, false);
    runner.prepare();
    for (int l = 0; l < Lanes<T>::kWidth; l += 1 << grid.lane_bits())
      if (grid.is_real(block, l)) runner.read(l, squares, states + grid.circuit(block, l) * length);
  });
}

template <class T>
void pull_back(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
               const Rowed& cotangents, T* param_out, const std::vector<int64_t>& param_sizes, T* feature_out,
               const std::vector<int64_t>& feature_sizes, const Threads& threads) {
  const Grid<T> grid(plan, sizes, true, threads);
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
      for (int o = 0; o < plan.num_observables; ++o) space.values[o][l] = grid.is_real(block, l) ? row[o] : T(0);
    }
    Runner<T>(plan, space, rows, param_out != nullptr, feature_out != nullptr).pull_back();
    turns.wait_for(block);
    param_sums.add(space.gradients, param_rows);
    feature_sums.add(behind, feature_rows);
    turns.done(block);
  });
  if (param_out) param_sums.write(param_out);
  if (feature_out) feature_sums.write(feature_out);
}

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
