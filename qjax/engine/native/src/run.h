// Runs a schedule on one vector of circuits: forward, and backward by the adjoint method.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "gradients.h"
#include "kernels.h"
#include "observables.h"
#include "prologue.h"
#include "workspace.h"

namespace qjax {

// A few objects in place. Unlike those of an array, the places without an object are not touched.
template <class U, int kMost>
class Few {
 public:
  template <class... Args>
  void emplace_back(Args&&... args) {
    new (memory_ + sizeof(U) * count_++) U(std::forward<Args>(args)...);
  }
  U& operator[](int k) { return *std::launder(reinterpret_cast<U*>(memory_ + sizeof(U) * k)); }

 private:
  static_assert(std::is_trivially_destructible_v<U>);
  alignas(U) std::byte memory_[sizeof(U) * kMost];
  int count_ = 0;
};

template <class T>
class Runner {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;

 public:
  Runner(const Plan& plan, const Schedule& schedule, Workspace<T>& space, const Rows<T>& rows)
      : plan_(plan), schedule_(schedule), space_(space), rows_(rows) {}

  // Leaves the state in the workspace, up to phases that the schedule leaves out.
  void forward() { forward(false); }

  // Leaves <O> for every observable and lane in the workspace's `results`.
  void evaluate() {
    if (schedule_.measurement.terms.empty()) {
      forward(false);
      expectations<T>(space_.psi, schedule_, plan_, space_.term_sums, space_.results);
    } else {
      forward(true);
      measured_expectations<T>(schedule_, plan_, space_.sums, space_.results);
    }
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
  void pull_back() {
    const Gradients<T> gradients(schedule_, space_.values, rows_);
    const WayBack way = way_back(gradients);
    if (way.is_empty) return;
    forward();
    backward(gradients, way, begin_lambda());
  }

  // Adds the gradient of the only observable, whose value it leaves in `results`.
  void differentiate() {
    const Gradients<T> gradients(schedule_, space_.values, rows_);
    const WayBack way = way_back(gradients);
    if (way.is_empty) return evaluate();
    forward();
    space_.results[0] = V{} + 1;
    Seed<T> seed = begin_lambda();
    if (seed.weights) {
      seed.measures = true;
    } else {
      space_.results[0] = inner_product<T>(space_.psi, space_.lambda);
    }
    backward(gradients, way, seed);
    add_lanes<T>(plan_, schedule_.lane_bits, space_.results);
  }

 private:
  // How far back gradients ask to go: what comes before the first wanted angle need not be undone.
  struct WayBack {
    bool into_prologue, is_empty;
    int32_t first;  // pass
  };
  WayBack way_back(const Gradients<T>& gradients) const {
    const auto& prologue = schedule_.prologue;
    const auto& passes = schedule_.passes;
    if (std::any_of(prologue.begin(), prologue.end(), [&](int32_t chain) { return chain >= 0 && gradients.wanted(chain); }))
      return {true, false, 0};
    const auto first = std::find_if(passes.begin(), passes.end(), [&](const Pass& pass) { return gradients.wanted(pass); });
    return {false, first == passes.end(), int32_t(first - passes.begin())};
  }

  // Lambda, or what the first pass on the way back makes it from.
  Seed<T> begin_lambda() {
    if (schedule_.measurement.terms.empty()) {
      apply_observables<T>(space_.psi, space_.lambda, schedule_, plan_, space_.results, space_.term_weights);
      return {};
    }
    measured_weights<T>(schedule_, plan_, space_.results, space_.sums);
    return {space_.sums, schedule_.measurement.row};
  }

  void backward(const Gradients<T>& gradients, const WayBack& way, Seed<T> seed) {
    const auto& passes = schedule_.passes;
    const auto [into_prologue, is_empty, first] = way;
    for (size_t k = schedule_.sweeps.size(); k-- > 0 && schedule_.sweeps[k].end > first;) {
      const Sweep& sweep = schedule_.sweeps[k];
      if (passes[sweep.begin].kind == Pass::kBlock)
        undo_blocks({std::max(sweep.begin, first), sweep.end, sweep.is_small, {}}, first, into_prologue, seed,
                    gradients);
      else
        undo(passes[sweep.begin], gradients);
      seed = {};
    }
    if (into_prologue) {
      const auto& prologue = schedule_.prologue;
      const Prologue<T> product(schedule_, space_.values);
      auto share = [&](uint32_t count, auto&& work) { return in_parts(count, work); };
      product.overlaps(space_.lambda, space_.psi, share, [&](int qubit, const Bloch<T>& overlaps) {
        if (prologue[qubit] >= 0 && gradients.wanted(prologue[qubit])) gradients.add(prologue[qubit], overlaps);
      });
    }
  }

  void forward(bool measures) {
    space_.values.prepare(rows_);
    const auto [from, keep] = space_.resume;
    if (from == 0 && schedule_.builds_product) Prologue<T>(schedule_, space_.values).build(space_.psi);
    for (int32_t k = from; k < int32_t(schedule_.sweeps.size()); ++k) {
      const Sweep& sweep = schedule_.sweeps[k];
      const Pass& first = schedule_.passes[sweep.begin];
      // What is kept is read there from now on, as a pass can leave what it makes elsewhere.
      const bool keeps = k > from && k == keep, resumes = keeps || (k > 0 && k == from);
      if (keeps) std::swap(space_.psi.data, space_.prefix.data);
      if (first.kind == Pass::kBlock) {
        const auto elsewhere = resumes                  ? Elsewhere<T>::of_state(first, space_.prefix)
                               : first.reads_entries() ? Elsewhere<T>::of_table(first, space_.table)
                                                       : Elsewhere<T>{};
        apply_blocks(sweep, elsewhere, measures && sweep.end == int32_t(schedule_.passes.size()));
      } else {
        if (resumes) copy(space_.prefix, space_.psi);
        apply(first);
      }
    }
  }

  void copy(const State<T>& from, State<T>& to) {
    in_parts(from.num_vectors(), [&](uint32_t begin, uint32_t end, uint32_t) {
      std::copy(from.data + begin, from.data + end, to.data + begin);
    });
  }

  // Gates and tables of the block passes of a sweep, the tables one after the other.
  void prepare(const Sweep& sweep, bool backward, Amp<T>* table) {
    for (int32_t k = sweep.begin; k < sweep.end; ++k) {
      const Pass& pass = schedule_.passes[k];
      Gates<T>& gates = space_.gates[k - sweep.begin];
      gates.set(pass, space_.values, backward);
      build_table<T>(pass, space_.values, gates.scale, backward, table);
      table += pass.table_size();
    }
  }

  void apply_blocks(const Sweep& sweep, const Elsewhere<T>& elsewhere, bool measures) {
    // The first pass's tables stay until they are read.
    Amp<T>* const tables = space_.table + (elsewhere.vectors == space_.table ? schedule_.passes[0].table_size() : 0);
    prepare(sweep, false, tables);
    const Pass& leader = schedule_.passes[sweep.begin];
    const bool is_alone = sweep.end - sweep.begin == 1;
    // One that begins and measures alone has at most a block for each variant.
    const bool begun = leader.begins_in_table() && !(measures && is_alone);
    if (begun) begin_in_table<T>(space_.psi, leader, space_.gates[0], tables);
    if (begun && is_alone && is_read_from_table(sweep.end)) return;
    const uint32_t used = in_tiles(sweep, [&](uint32_t first, uint32_t end, uint32_t part) {
      V* sums = space_.sums + (size_t(part) << kMaxLocalBits);
      if (measures) std::fill_n(sums, size_t(1) << kMaxLocalBits, V{});
      const bool has_next = !sweep.tile.empty() && end - first > 1;
      const Asks asks = sweep.is_small ? Asks::kNothing : has_next ? Asks::kTile : Asks::kBlock;
      Few<BlockRun<T>, kMaxSweepPasses> runs;
      const Amp<T>* table = tables;
      for (int32_t k = sweep.begin; k < sweep.end; ++k) {
        const Pass& pass = schedule_.passes[k];
        const bool is_last = k + 1 == sweep.end;
        runs.emplace_back(space_.psi, pass, space_.gates[k - sweep.begin], table, first << pass.tile_columns,
                          begun && k == sweep.begin, k == sweep.begin ? elsewhere : Elsewhere<T>{}, asks, measures && is_last ? sums : nullptr, schedule_.measurement.row);
        table += pass.table_size();
      }
      const uint32_t step = is_alone ? end - first : 1;  // a single pass takes all tiles at once
      for (uint32_t tile = first; tile < end; tile += step) {
        // The last one asks for itself: what follows it is another thread's.
        const Blocks next(leader, std::min(tile + step, end - 1) << leader.tile_columns);
        TileAhead<T> ahead(space_.psi, sweep.tile, next.base(), sweep.end - sweep.begin);
        for (int32_t k = sweep.begin; k < sweep.end; ++k)
          runs[k - sweep.begin].run(step << schedule_.passes[k].tile_columns, ahead);
      }
    });
    if (!measures) return;
    const size_t size = size_t(1) << kMaxLocalBits;
    for (uint32_t part = 1; part < used; ++part)
      for (size_t x = 0; x < size; ++x) space_.sums[x] += space_.sums[part * size + x];
  }

  bool is_read_from_table(int32_t pass) const {
    return pass < int32_t(schedule_.passes.size()) && schedule_.passes[pass].reads_entries();
  }

  // Passes before `first` stay. Where the product state comes next, psi is not needed any more.
  void undo_blocks(const Sweep& sweep, int32_t first, bool into_prologue, const Seed<T>& seed,
                   const Gradients<T>& gradients) {
    prepare(sweep, true, space_.table);
    auto undone = [&](int32_t k) { return k > first ? Undo::kBoth : into_prologue ? Undo::kLambda : Undo::kNone; };
    const size_t count = sweep.end - sweep.begin;
    const uint32_t used = in_tiles(sweep, [&](uint32_t begin, uint32_t end, uint32_t part) {
      Overlaps<T>* overlaps = space_.parts + part * count;
      std::fill_n(overlaps, count, Overlaps<T>{});
      Few<BlockUndo<T>, kMaxSweepPasses> runs;
      const Amp<T>* table = space_.table;
      for (int32_t k = sweep.begin; k < sweep.end; ++k) {
        const Pass& pass = schedule_.passes[k];
        runs.emplace_back(space_.psi, space_.lambda, pass, space_.gates[k - sweep.begin], table, undone(k),
                          k + 1 == sweep.end ? seed : Seed<T>{}, begin << pass.tile_columns, overlaps[k - sweep.begin]);
        table += pass.table_size();
      }
      // Two states and their tables are too much for the first cache: pass by pass is faster there.
      const uint32_t step = count > 1 && !sweep.is_small ? 1 : end - begin;
      for (uint32_t tile = begin; tile < end; tile += step)
        for (int32_t k = sweep.end; k-- > sweep.begin;)
          runs[k - sweep.begin].run(step << schedule_.passes[k].tile_columns);
    });
    for (int32_t k = sweep.end; k-- > sweep.begin;) {
      const Pass& pass = schedule_.passes[k];
      Overlaps<T>& overlaps = space_.parts[k - sweep.begin];
      for (uint32_t part = 1; part < used; ++part)
        overlaps.add(space_.parts[part * count + (k - sweep.begin)], 1u << pass.local_bits());
      if (k + 1 == sweep.end && seed.measures) space_.results[0] = overlaps.value;
      finish_overlaps<T>(pass, space_.gates[k - sweep.begin], undone(k), overlaps);
      for (size_t c = 0; c < pass.chains.size(); ++c) gradients.add(pass.chains[c], overlaps.across[c]);
      for (size_t c = 0; c < pass.lane_chains.size(); ++c) gradients.add(pass.lane_chains[c], overlaps.in_lanes[c]);
    }
  }

  void apply(const Pass& pass) {
    State<T>& psi = space_.psi;
    switch (pass.kind) {
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
      case Pass::kBlock:
      case Pass::kMeasure:
        return;
    }
  }

  void undo(const Pass& pass, const Gradients<T>& gradients) {
    State<T>&psi = space_.psi, &lambda = space_.lambda;
    switch (pass.kind) {
      case Pass::kBlock:
        return;
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

  template <class Work>
  uint32_t in_tiles(const Sweep& sweep, Work&& work) {
    return in_parts(schedule_.passes[sweep.begin].num_tiles(), work);
  }

  // Calls work(begin, end, part) for parts of [0, count); returns how many parts there were.
  template <class Work>
  uint32_t in_parts(uint32_t count, Work&& work) {
    if (!space_.team || count < Team::kParts) {
      work(0, count, 0);
      return 1;
    }
    space_.team->run([&](uint32_t part) {
      const uint64_t total = count;
      work(uint32_t(total * part / Team::kParts), uint32_t(total * (part + 1) / Team::kParts), part);
    });
    return Team::kParts;
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
