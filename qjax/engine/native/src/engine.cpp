#include "engine.h"

#include <algorithm>
#include <cmath>

#include "inputs.h"
#include "run.h"

namespace qjax {
namespace {

// Sums of gradients over the blocks, in double precision until the end.
class Gradient {
 public:
  Gradient(bool wanted, const std::vector<int64_t>& grid, const std::vector<int64_t>& sizes, int length)
      : length_(length), row_(grid, wanted ? sizes : grid), sums_(wanted ? product(sizes) * length : 0) {}

  template <class T>
  LaneRows<T> rows(const Grid<T>& grid, int64_t block) const {
    return {grid, block, row_};
  }

  // Adds a block's own, [number][lane]; null adds nothing.
  template <class T>
  void add(const LaneRows<T>& rows, const double* lanes) {
    constexpr int kWidth = Lanes<T>::kWidth;
    if (!lanes) return;
    for (int k = 0; k < length_; ++k, lanes += kWidth) {
      if (rows.alike) {
        double sum = 0;
        for (int l = 0; l < kWidth; ++l) sum += lanes[l];
        sums_[rows.of[0] * length_ + k] += sum;
      } else {
        for (int l = 0; l < kWidth; ++l) sums_[rows.of[l] * length_ + k] += lanes[l];
      }
    }
  }

  template <class T>
  void write(T* out) const {
    for (size_t k = 0; k < sums_.size(); ++k) out[k] = T(sums_[k]);
  }

 private:
  int length_;
  RowOf row_;
  std::vector<double> sums_;
};

// Calls write(circuit, first lane) for the circuits of a block; their lanes follow one another.
template <class T, class Write>
void for_each_circuit(const Grid<T>& grid, int64_t block, Write&& write) {
  for (int l = 0; l < Lanes<T>::kWidth; l += 1 << grid.lane_bits())
    if (grid.is_real(block, l)) write(grid.circuit(block, l), l);
}

// Writes a block's slopes [number][lane] to [circuit][number]; null is not wanted.
template <class T>
void write_slopes(const Grid<T>& grid, int64_t block, const double* lanes, int length, T* out) {
  if (!lanes) return;
  for_each_circuit(grid, block, [&](int64_t circuit, int first) {
    for (int k = 0; k < length; ++k) {
      double sum = 0;
      for (int l = first; l < first + (1 << grid.lane_bits()); ++l) sum += lanes[size_t(k) * Lanes<T>::kWidth + l];
      out[circuit * length + k] = T(sum);
    }
  });
}

}  // namespace

template <class T>
void evaluate(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
              T* values, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, features, false, false, threads);
  const Inputs<T> inputs(plan, sizes, params, features);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    const Rows<T> rows = inputs.rows(grid, block);
    Runner<T>(plan, grid.schedule(), space, rows).evaluate();
    for_each_circuit(grid, block, [&](int64_t circuit, int lane) {
      for (int o = 0; o < plan.num_observables; ++o)
        values[circuit * plan.num_observables + o] = space.results[o][lane];
    });
  });
}

template <class T>
void read_states(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
                 bool squares, T* states, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, features, false, !squares, threads);
  const Inputs<T> inputs(plan, sizes, params, features);
  const size_t length = (size_t(1) << plan.num_qubits) * (squares ? 1 : 2);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    const Rows<T> rows = inputs.rows(grid, block);
    Runner<T> runner(plan, grid.schedule(), space, rows);
    runner.forward();
    const Amp<T> phase = squares ? Amp<T>{} : runner.global_phase();
    for_each_circuit(grid, block, [&](int64_t circuit, int lane) {
      runner.read(lane, squares ? nullptr : &phase, states + circuit * length);
    });
  });
}

template <class T>
void pull_back(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
               const Rowed& cotangents, T* param_out, const std::vector<int64_t>& param_sizes, T* feature_out,
               const std::vector<int64_t>& feature_sizes, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, features, true, false, threads);
  const Inputs<T> inputs(plan, sizes, params, features);
  const RowOf cotangent_row(sizes, cotangents.sizes);
  Gradient param_sums(param_out != nullptr, sizes, param_sizes, plan.num_params);
  Gradient feature_sums(feature_out != nullptr, sizes, feature_sizes, plan.num_features);
  Turns turns;
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    const Rows<T> rows = inputs.rows(grid, block, space.gradients, param_out != nullptr, feature_out != nullptr);
    const LaneRows<T> cotangent(grid, block, cotangent_row);
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      const T* row = static_cast<const T*>(cotangents.data) + cotangent.of[l] * plan.num_observables;
      for (int o = 0; o < plan.num_observables; ++o) space.results[o][l] = grid.is_real(block, l) ? row[o] : T(0);
    }
    Runner<T>(plan, grid.schedule(), space, rows).pull_back();
    const LaneRows<T> param_rows = param_sums.rows(grid, block), feature_rows = feature_sums.rows(grid, block);
    turns.wait_for(block);
    param_sums.add(param_rows, rows.param_gradients);
    feature_sums.add(feature_rows, rows.feature_gradients);
    turns.done(block);
  });
  if (param_out) param_sums.write(param_out);
  if (feature_out) feature_sums.write(feature_out);
}

template <class T>
void differentiate(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features,
                   T* values, T* param_slopes, T* feature_slopes, const Threads& threads) {
  const Grid<T> grid(plan, sizes, params, features, true, false, threads);
  const Inputs<T> inputs(plan, sizes, params, features);
  grid.for_each_block([&](Workspace<T>& space, int64_t block) {
    const Rows<T> rows = inputs.rows(grid, block, space.gradients, param_slopes != nullptr, feature_slopes != nullptr);
    Runner<T>(plan, grid.schedule(), space, rows).differentiate();
    for_each_circuit(grid, block, [&](int64_t circuit, int lane) { values[circuit] = space.results[0][lane]; });
    write_slopes(grid, block, rows.param_gradients, plan.num_params, param_slopes);
    write_slopes(grid, block, rows.feature_gradients, plan.num_features, feature_slopes);
  });
}

template <class T>
Description describe(const Plan& plan, int64_t sets, int64_t samples, bool backward, const Threads& threads) {
  const Rowed params{nullptr, {sets, 1}};
  const Grid<T> grid(plan, {sets, samples}, params, {nullptr, {1, 1}}, backward, false, threads);
  const double amplitudes = std::ldexp(1.0, plan.num_qubits);
  Description out;
  Workspace<T> space;
  // The way back does every pass on both states, and reads overlaps off them: 8 for each one-qubit gate.
  const double times = backward ? 3 : 1, overlaps = backward ? 8 : 0;
  const Schedule& schedule = grid.schedule();
  for (const Sweep& sweep : schedule.sweeps) {
    if (schedule.passes[sweep.begin].kind == Pass::kMeasure) continue;
    // Small tiles are for the way forward alone.
    double trips = backward && sweep.is_small ? 1 + 2 * (sweep.end - sweep.begin) : times;
    // What stays in tables is not written, and the next sweep need not read it.
    if (size_t(sweep.end) < schedule.passes.size() && schedule.passes[sweep.end].reads_entries()) trips -= 1;
    if (schedule.passes[sweep.begin].reads_entries()) trips -= 0.5;
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
      if (pass.begins_in_table())  // worked out once for each variant, then copied
        out.flops -= flops * (amplitudes - std::ldexp(double(pass.table_size()), schedule.lane_bits));
    }
  }
  out.working_set = double(space.lay_out(plan, schedule, grid.mixed(), backward, false, nullptr));
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
template void differentiate<float>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, float*,
                                   float*, float*, const Threads&);
template void differentiate<double>(const Plan&, const std::vector<int64_t>&, const Rowed&, const Rowed&, double*,
                                    double*, double*, const Threads&);

}  // namespace qjax
