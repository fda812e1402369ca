// From a plan to passes.
#include "schedule.h"

#include <algorithm>

#include "lanes.h"
#include "sweeps.h"

namespace qjax {
namespace {

class Scheduler {
 public:
  Scheduler(const Plan& plan, Schedule& out)
      : plan_(plan), out_(out), lanes_(plan.num_qubits, out.lane_bits), pending_(plan.num_qubits) {}

  void run(bool exact_state) {
    steps(plan_.steps, 0, 0);
    flush();
    if (in_prologue_) end_prologue();
    build_product();
    uint32_t flips_seen[32];
    int count = 0;
    if (exact_state) {
      diagonal([](const String&) { return true; });
    } else {
      for (const Term& term : plan_.terms)
        if (term.x && count < 32) flips_seen[count++] = frame().flips(term.x);
      diagonal([&](const String& s) {
        if (count == 32 || s.source == String::kStart) return true;
        return std::any_of(flips_seen, flips_seen + count, [&](uint32_t flip) { return parity(flip & s.row); });
      });
    }
    for (const Term& term : plan_.terms) out_.terms.emplace_back(frame(), term.x, term.z);
  }

 private:
  Frame& frame() { return out_.frame; }

  int32_t add_turn(const Angle& angle, int64_t param_shift, int64_t feature_shift) {
    out_.turns.push_back({angle.param < 0 ? -1 : int32_t(angle.param + param_shift),
                          angle.feature < 0 ? -1 : int32_t(angle.feature + feature_shift), angle.scale, angle.offset});
    return int32_t(out_.turns.size() - 1);
  }

  struct Waiting {
    const Factor* factor;
    int64_t param_shift, feature_shift;
  };

  int32_t add_chain(const std::vector<Waiting>& factors, bool is_split) {
    ChainRef chain{};
    chain.first = int32_t(out_.factors.size());
    chain.count = int32_t(factors.size());
    chain.first_turn = int32_t(out_.turns.size());
    chain.is_split = is_split;
    for (const Waiting& w : factors) {
      const bool is_fixed = w.factor->kind == Factor::kFixed;
      const int32_t turn = is_fixed ? -1 : add_turn(w.factor->angle, w.param_shift, w.feature_shift);
      chain.uses_features |= !is_fixed && w.factor->angle.feature >= 0;
      out_.factors.push_back({w.factor->kind, turn, is_fixed ? w.factor : nullptr});
    }
    chain.num_turns = int32_t(out_.turns.size()) - chain.first_turn;
    if (chain.uses_features) {
      chain.lane_place = out_.num_lane_chains++;
      chain.lane_turn = out_.num_lane_turns;
      out_.num_lane_turns += chain.num_turns;
    }
    out_.chains.push_back(chain);
    return int32_t(out_.chains.size() - 1);
  }

  int32_t single(const Step& step, int64_t param_shift, int64_t feature_shift) {
    Factor factor{};
    factor.kind = Factor::kZ;
    factor.angle = step.angle;
    return add_chain({{&factor, param_shift, feature_shift}}, false);
  }

  void steps(const std::vector<Step>& steps, int64_t param_shift, int64_t feature_shift) {
    for (const Step& step : steps) {
      switch (step.kind) {
        case Step::kLayer:
          for (const Chain& chain : step.chains)
            for (const Factor& factor : chain.factors)
              pending_[chain.qubit].push_back({&factor, param_shift, feature_shift});
          break;
        case Step::kPhase:
          out_.phases.push_back(single(step, param_shift, feature_shift));
          break;
        case Step::kLoop:
          for (int64_t t = 0; t < step.times; ++t)
            this->steps(step.body, param_shift + t * step.param_stride, feature_shift + t * step.feature_stride);
          break;
        case Step::kRotation:
          rotation(step, param_shift, feature_shift);
          break;
        default:
          couple(mask_of(step.qubits));
          if (step.kind == Step::kDense)
            dense(step);
          else
            permute(step);
      }
    }
  }

  static uint32_t mask_of(const std::vector<int>& qubits) {
    uint32_t out = 0;
    for (int q : qubits) out |= 1u << q;
    return out;
  }

  // Before an operation on some qubits: what waits on any of them goes first, all of it at once.
  void couple(uint32_t mask) {
    bool touched = false;
    for (int q = 0; q < plan_.num_qubits; ++q) touched |= (mask >> q & 1) && !pending_[q].empty();
    if (touched) flush();
    if (in_prologue_) end_prologue();
  }

  void permute(const Step& step) {
    const int a = step.qubits[0];
    if (step.kind == Step::kFlip) return frame().flip(a);
    const int b = step.qubits[1];
    if (step.kind == Step::kExchange) {
      lanes_.exchange(a, b);
      return frame().exchange(a, b);
    }
    if (lanes_.bit_of(a) < 0 || lanes_.bit_of(b) >= 0) return frame().controlled_flip(a, b);
    // A control in the lane and a target across vectors: amplitudes have to move.
    build_product();
    if (!lanes_.are_sorted(frame())) block_pass({}, {});
    Pass pass;
    pass.kind = Pass::kMove;
    pass.axes[0] = frame().axes[b];
    pass.lane_bits = {lanes_.bit_of(a)};
    for (String& s : deferred_)
      if (parity(s.row & pass.axes[0].flip)) s.row ^= 1u << pass.lane_bits[0];
    out_.work += 0.5;
    out_.passes.push_back(std::move(pass));
  }

  void rotation(const Step& step, int64_t param_shift, int64_t feature_shift) {
    couple(step.x | step.z);
    const int32_t chain = single(step, param_shift, feature_shift);
    const Pauli pauli(frame(), step.x, step.z);
    if (step.x == 0) {
      const String s{String::kTurn, chain, pauli.row, 0, -1, uint8_t(pauli.one)};
      if (out_.passes.empty() || out_.passes.back().kind != Pass::kMeasure) {
        out_.passes.emplace_back();
        out_.passes.back().kind = Pass::kMeasure;
      }
      out_.passes.back().strings.push_back(s);
      deferred_.push_back(s);
      out_.phases.push_back(chain);
      return;
    }
    build_product();
    diagonal([&](const String& s) { return parity(s.row & pauli.flip); });
    Pass pass;
    pass.kind = Pass::kRotation;
    pass.pauli = pauli;
    pass.chains = {chain};
    out_.work += 1;
    out_.passes.push_back(std::move(pass));
  }

  void dense(const Step& step) {
    build_product();
    Pass pass;
    pass.kind = Pass::kDense;
    pass.dense = &step;
    uint32_t flips[4];
    for (size_t k = 0; k < step.qubits.size(); ++k) {
      pass.axes[k] = frame().axes[step.qubits[k]];
      flips[k] = pass.axes[k].flip;
    }
    diagonal([&](const String& s) {
      return std::any_of(flips, flips + step.qubits.size(), [&](uint32_t flip) { return parity(flip & s.row); });
    });
    out_.work += double(1 << step.qubits.size());
    out_.passes.push_back(std::move(pass));
  }

  // Multiplies by those of the waiting phases that `chosen` names.
  template <class Chosen>
  void diagonal(Chosen&& chosen) {
    Pass pass;
    pass.kind = Pass::kDiagonal;
    const auto kept = std::stable_partition(deferred_.begin(), deferred_.end(), [&](const String& s) { return !chosen(s); });
    pass.strings.assign(kept, deferred_.end());
    deferred_.erase(kept, deferred_.end());
    if (pass.strings.empty()) return;
    out_.work += 0.5 * pass.strings.size();
    out_.passes.push_back(std::move(pass));
  }

  struct Placed {
    int qubit;
    int32_t chain;
  };

  void flush() {
    std::vector<Placed> across, within;
    for (int q = 0; q < plan_.num_qubits; ++q) {
      if (pending_[q].empty()) continue;
      const Placed placed{q, add_chain(pending_[q], true)};
      pending_[q].clear();
      (lanes_.bit_of(q) < 0 ? across : within).push_back(placed);
    }
    if (across.empty() && within.empty()) return;
    out_.work += double(across.size()) + 1.5 * within.size();
    if (in_prologue_) {
      for (const auto& group : {across, within})
        for (const Placed& p : group) {
          out_.prologue[p.qubit] = p.chain;
          defer_post(p);
        }
      return end_prologue();
    }
    // As few passes as can be, and in them as few stages: 8 qubits by threes are 2, 3 and 3, and passes of 5 and 3.
    const size_t size = across.size(), stages = (size + kForwardGroup - 1) / kForwardGroup;
    const size_t groups = std::max<size_t>(1, (size + kMaxLocalBits - 1) / kMaxLocalBits);
    auto edge = [&](size_t g) { return stages ? (g * stages + groups - 1) / groups * size / stages : 0; };
    std::vector<size_t> sizes;
    for (size_t g = 0; g < groups; ++g) sizes.push_back(edge(g + 1) - edge(g));
    // The last qubits are the lowest bits of addresses, and tiles of low bits lie together: of large states they
    // get the largest groups.
    const int vector_bits = plan_.num_qubits - out_.lane_bits;
    if (vector_bits > kCachedBits) std::sort(sizes.begin(), sizes.end());
    // Every other layer begins where the one before ended: passes on the same qubits may share tiles.
    auto here = is_reversed_ ? across.end() : across.begin();
    for (size_t i = 0; i < groups; ++i) {
      const auto there = is_reversed_ ? here - sizes[groups - 1 - i] : here + sizes[i];
      block_pass({std::min(here, there), std::max(here, there)}, i == 0 ? within : std::vector<Placed>{});
      here = there;
    }
    if (vector_bits >= kLeastInTiles) is_reversed_ = !is_reversed_;
  }

  // The first layer acts on |0> and leaves a product state, which waits as strings for the first pass.
  void end_prologue() {
    in_prologue_ = false;
    is_waiting_ = true;
    for (int q = 0; q < plan_.num_qubits; ++q) {
      const Axis& axis = frame().axes[q];
      deferred_.push_back({String::kStart, out_.prologue[q], axis.row, 0, -1, uint8_t(axis.one)});
    }
  }

  // Where the first pass cannot make the state on its way.
  void build_product() {
    if (!is_waiting_) return;
    is_waiting_ = false;
    out_.builds_product = true;
    std::erase_if(deferred_, [](const String& s) { return s.source == String::kStart; });
  }

  void defer_post(const Placed& placed) {
    const Axis& axis = frame().axes[placed.qubit];
    deferred_.push_back({String::kPost, placed.chain, axis.row, 0, -1, uint8_t(axis.one)});
  }

  void block_pass(const std::vector<Placed>& across, const std::vector<Placed>& within) {
    Pass pass;
    if (!lanes_.are_sorted(frame())) lanes_.sort(frame(), deferred_, pass);
    const int lane_bits = out_.lane_bits, vector_bits = plan_.num_qubits - lane_bits, size = int(across.size());
    Independent independent;
    uint32_t flips[kMaxLocalBits];
    for (int j = 0; j < size; ++j) {
      const Axis& axis = frame().axes[across[j].qubit];
      flips[j] = axis.flip >> lane_bits;
      independent.add(flips[j]);
      pass.rows[j] = axis.row >> lane_bits;
      if (axis.one) pass.start ^= flips[j];
      pass.chains.push_back(across[j].chain);
    }
    for (const Placed& p : within) {
      pass.lane_chains.push_back(p.chain);
      pass.lane_bits.push_back(lanes_.bit_of(p.qubit));
    }
    // Directions that leave the block's qubits alone.
    for (uint32_t bits = ((1u << vector_bits) - 1) & ~independent.pivots(); bits; bits &= bits - 1)
      pass.columns.push_back(beside(pass, flips, bits & -bits));
    const int least = vector_bits > kCachedBits ? kLargeLocalBits : kLeastLocalBits;
    pass.num_free = std::clamp(least - size, 0, int(pass.columns.size()));
    const std::vector<uint32_t> free(pass.columns.begin(), pass.columns.begin() + pass.num_free);
    pass.columns.erase(pass.columns.begin(), pass.columns.begin() + pass.num_free);
    const int local_bits = pass.local_bits();
    pass.offsets.assign(size_t(1) << local_bits, 0);
    for (size_t x = 1; x < pass.offsets.size(); ++x) {
      const int bit = __builtin_ctz(x);
      pass.offsets[x] = pass.offsets[x & (x - 1)] ^ (bit < pass.num_free ? free[bit] : flips[bit - pass.num_free]);
    }
    find_sort_offsets(pass);

    const std::vector<String> waiting = deferred_;
    std::vector<String> excess = take_strings(pass);
    if (!excess.empty() && is_waiting_) {
      deferred_ = waiting;
      build_product();
      pass.num_variants = 0;
      excess = take_strings(pass);
    }
    pass.begins = is_waiting_;
    is_waiting_ = false;
    if (!excess.empty()) {
      // Before this pass, thus before its sorting of lanes: sort first where both are needed.
      Pass before;
      if (pass.sorts) {
        before = sorting_pass(pass);
        out_.passes.push_back(std::move(before));
        pass.sorts = false;
        pass.sort_offsets.clear();
        pass.unsort_offsets.clear();
        before = {};
      }
      before.kind = Pass::kDiagonal;
      before.strings = std::move(excess);
      out_.work += 0.5 * before.strings.size();
      out_.passes.push_back(std::move(before));
    }
    for (int j = 0; j < size; ++j)
      pass.strings.push_back({String::kPre, across[j].chain, 0, 1u << (pass.num_free + j), -1, 0});
    for (const Placed& p : within) pass.strings.push_back({String::kPre, p.chain, 1u << lanes_.bit_of(p.qubit), 0, -1, 0});
    for (const auto& group : {across, within})
      for (const Placed& p : group) defer_post(p);
    out_.work += 2;
    out_.passes.push_back(std::move(pass));
  }

  // Moves the waiting phases that do not commute with a pass's gates into the pass; returns those for which it
  // would need too many tables.
  std::vector<String> take_strings(Pass& pass) {
    uint32_t gates_in_lanes = 0;
    for (int bit : pass.lane_bits) gates_in_lanes |= 1u << bit;
    std::vector<String> taken, kept, excess;
    for (String s : deferred_) {
      const uint32_t row = s.row >> out_.lane_bits;
      uint32_t local = 0;
      for (int j = 0; j < pass.local_bits(); ++j) local |= parity(row & pass.offsets[1u << j]) << j;
      if (local >> pass.num_free == 0 && (s.row & gates_in_lanes) == 0) {
        kept.push_back(s);
        continue;
      }
      const int variant = find_variant(pass, row);
      if (variant == kMaxVariants) {
        excess.push_back(s);
        continue;
      }
      s.local = local;
      s.variant = variant;
      s.one ^= parity(row & pass.start);
      taken.push_back(s);
    }
    deferred_ = std::move(kept);
    pass.strings = std::move(taken);
    return excess;
  }

  // A pass that does nothing but bring the lanes in order as `like` would.
  Pass sorting_pass(const Pass& like) {
    Pass pass;
    pass.sorts = true;
    pass.sort = like.sort;
    pass.unsort = like.unsort;
    const int vector_bits = plan_.num_qubits - out_.lane_bits;
    pass.num_free = std::min(3, vector_bits);
    for (uint32_t x = 0; x < 1u << pass.num_free; ++x) pass.offsets.push_back(x);
    for (int bit = pass.num_free; bit < vector_bits; ++bit) pass.columns.push_back(1u << bit);
    find_sort_offsets(pass);
    return pass;
  }

  const Plan& plan_;
  Schedule& out_;
  LaneQubits lanes_;
  std::vector<std::vector<Waiting>> pending_;
  std::vector<String> deferred_;
  bool is_reversed_ = false, in_prologue_ = true, is_waiting_ = false;
};

}  // namespace

Schedule::Schedule(const Plan& plan, int lanes, bool exact_state)
    : num_qubits(plan.num_qubits), lane_bits(lanes), start(plan.num_qubits, lanes), frame(start) {
  prologue.assign(plan.num_qubits, -1);
  Scheduler(plan, *this).run(exact_state);
  form_sweeps(*this);
  group_strings(*this);
  read_first_pass(*this);
  find_entries(*this, plan.num_params, plan.num_features);
  if (!exact_state) find_measurement(*this);
}

std::shared_ptr<const Schedule> Schedules::get(const Plan& plan, int lane_bits, bool exact_state) const {
  std::lock_guard lock(mutex_);
  auto& kept = kept_[lane_bits][exact_state];
  if (!kept) kept = std::make_shared<const Schedule>(plan, lane_bits, exact_state);
  return kept;
}

}  // namespace qjax
