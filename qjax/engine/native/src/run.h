// Runs a schedule on one vector of circuits: forward, and backward by the adjoint method.
#pragma once

#include <algorithm>

#include "gradients.h"
#include "kernels.h"
#include "observables.h"
#include "workspace.h"

namespace qjax {

template <class T>
class Runner {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;

 public:
  Runner(const Plan& plan, const Schedule& schedule, Workspace<T>& space, const Rows<T>& rows)
      : plan_(plan), schedule_(schedule), space_(space), rows_(rows) {}

  // Leaves the state in the workspace, up to phases that the schedule leaves out.
  void forward() {
    space_.values.prepare(rows_);
    start();
    for (const Pass& pass : schedule_.passes) apply(pass);
  }

  // Leaves <O> for every observable and lane in the workspace's `results`.
  void evaluate() {
    forward();
    expectations<T>(space_.psi, schedule_, plan_, space_.term_sums, space_.results);
  }

  // The phase that schedules leave out.
  Amp<T> global_phase() const {
    Amp<T> out{V{} + 1, V{}};
    for (size_t c = 0; c < schedule_.chains.size(); ++c)
      if (schedule_.chains[c].is_split) out = out * space_.values.phase(int32_t(c));
    for (int32_t chain : schedule_.phases) {
      const auto [s, c] = space_.values.turn(chain, schedule_.chains[chain].first_turn);
      out = out * Amp<T>{c, -s};
    }
    return out;
  }

  // Writes the amplitudes (re and im in turn), or their squares, of the circuit that begins at a lane.
  void read(int lane, const Amp<T>* phase, T* out) const {
    const int n = plan_.num_qubits;
    const Axis* axes = schedule_.frame.axes;
    uint32_t after[32], address = 0, flips = 0;  // counting up by one toggles the lowest bits
    for (int q = n - 1; q >= 0; --q) after[n - 1 - q] = flips ^= axes[q].flip;
    after[n] = 0;
    for (int q = 0; q < n; ++q)
      if (axes[q].one) address ^= axes[q].flip;
    for (uint32_t x = 0; x < 1u << n; address ^= after[__builtin_ctz(++x)]) {
      const Amp<T>& vector = space_.psi.data[address >> space_.psi.lane_bits];
      const int place = lane | int(address & space_.psi.lane_mask());
      const T a = vector.re[place], b = vector.im[place];
      if (!phase) {
        out[x] = a * a + b * b;
      } else {
        out[2 * size_t(x)] = a * phase->re[lane] - b * phase->im[lane];
        out[2 * size_t(x) + 1] = a * phase->im[lane] + b * phase->re[lane];
      }
    }
  }

  // Adds the gradient of sum_o results[o] <O_o> to the rows' gradients.
  void pull_back(bool params_wanted, bool features_wanted) {
    forward();
    apply_observables<T>(space_.psi, space_.lambda, schedule_, plan_, space_.results, space_.term_weights);
    const Gradients<T> gradients(schedule_, space_.values, rows_, params_wanted, features_wanted);
    auto wanted = [&](const Pass& pass) { return gradients.wanted(pass); };
    // What comes before the first wanted angle need not be undone.
    const auto& passes = schedule_.passes;
    const auto& prologue = schedule_.prologue_passes;
    const bool into_prologue = std::any_of(prologue.begin(), prologue.end(), wanted);
    const size_t first = into_prologue ? 0 : std::find_if(passes.begin(), passes.end(), wanted) - passes.begin();
    for (size_t k = passes.size(); k-- > first;) undo(passes[k], into_prologue || k > first, gradients);
    if (into_prologue)
      for (const Pass& pass : prologue) undo(pass, false, gradients);
  }

 private:
  // The state after the first layer: a real product, as the layer's last diagonals wait.
  void start() {
    Amp<T>* state = space_.psi.data;
    const int n = plan_.num_qubits, lane_bits = space_.psi.lane_bits;
    auto column = [&](int qubit, V& zero, V& one) {
      const int32_t chain = schedule_.prologue[qubit];
      zero = chain < 0 ? V{} + 1 : space_.values.cosine(chain);
      one = chain < 0 ? V{} : space_.values.sine(chain);
    };
    V zero, one;
    state[0] = {V{} + 1, V{}};
    for (int bit = 0; bit < lane_bits; ++bit) {
      column(n - 1 - bit, zero, one);
      state[0].re *= lane_signs<T>(1u << bit) > 0 ? zero : one;
    }
    for (int bit = lane_bits; bit < n; ++bit) {
      column(n - 1 - bit, zero, one);
      const uint32_t half = 1u << (bit - lane_bits);
      for (uint32_t v = 0; v < half; ++v) {
        state[v + half] = {state[v].re * one, V{}};
        state[v].re *= zero;
      }
    }
  }

  void apply(const Pass& pass) {
    State<T>& psi = space_.psi;
    switch (pass.kind) {
      case Pass::kBlock:
        return run_blocks<T>(psi, pass, space_.values, space_.scratch, space_.table, 0, Blocks::count(pass));
      case Pass::kDiagonal:
        return apply_phases<T>(psi, pass.strings, space_.values, false);
      case Pass::kRotation: {
        const auto [sine, cosine] = turn(pass.chains[0]);
        return rotate<T>(psi, pass.pauli, cosine, sine);
      }
      case Pass::kDense:
        return dense(psi, pass, false);
      case Pass::kMove:
        return move_across<T>(psi, pass.axes[0].flip, pass.lane_bits[0]);
      case Pass::kMeasure:
        return;
    }
  }

  void undo(const Pass& pass, bool changes_states, const Gradients<T>& gradients) {
    State<T>&psi = space_.psi, &lambda = space_.lambda;
    switch (pass.kind) {
      case Pass::kBlock: {
        Overlaps<T> overlaps;
        run_blocks_backward<T>(psi, lambda, pass, space_.values, space_.scratch, space_.table, space_.weights,
                               changes_states, 0, Blocks::count(pass), overlaps);
        for (size_t k = 0; k < pass.chains.size(); ++k) gradients.add(pass.chains[k], overlaps.across[k]);
        for (size_t k = 0; k < pass.lane_chains.size(); ++k) gradients.add(pass.lane_chains[k], overlaps.in_lanes[k]);
        return;
      }
      case Pass::kDiagonal:
        apply_phases<T>(psi, pass.strings, space_.values, true);
        return apply_phases<T>(lambda, pass.strings, space_.values, true);
      case Pass::kMeasure:
        for (const String& s : pass.strings) {
          if (!gradients.wanted(s.chain)) continue;
          Pauli pauli{};
          pauli.row = s.row;
          pauli.one = s.one;
          gradients.add(s.chain, overlap<T>(psi, lambda, pauli));
        }
        return;
      case Pass::kRotation: {
        if (gradients.wanted(pass.chains[0])) gradients.add(pass.chains[0], overlap<T>(psi, lambda, pass.pauli));
        const auto [sine, cosine] = turn(pass.chains[0]);
        rotate<T>(psi, pass.pauli, cosine, -sine);
        return rotate<T>(lambda, pass.pauli, cosine, -sine);
      }
      case Pass::kDense:
        dense(psi, pass, true);
        return dense(lambda, pass, true);
      case Pass::kMove:
        move_across<T>(psi, pass.axes[0].flip, pass.lane_bits[0]);
        return move_across<T>(lambda, pass.axes[0].flip, pass.lane_bits[0]);
    }
  }

  Turn<V> turn(int32_t chain) const { return space_.values.turn(chain, schedule_.chains[chain].first_turn); }

  void dense(State<T>& state, const Pass& pass, bool inverse) {
    apply_dense<T>(state, space_.spare, pass.axes, int(pass.dense->qubits.size()), pass.dense->matrix.data(), inverse,
                   space_.dense);
    std::swap(state.data, space_.spare.data);
  }

  const Plan& plan_;
  const Schedule& schedule_;
  Workspace<T>& space_;
  const Rows<T>& rows_;
};

}  // namespace qjax
