// Block passes, forward: phases, then RY on up to six qubits across vectors and on the bits of the lane.
//
// A block's vectors are wherever the frame has them; stages take them through the registers, a few qubits at a
// time, and leave them where they were. RY is real, and with its cosine taken out (into the phases) it costs one
// multiply-add for each component; where cosines are too small for that (a steep pass), two.
#pragma once

#include "block.h"

namespace qjax {

// What a stage takes its amplitudes from, and what becomes of them. kState: as they are; kPhases and kAlike: times
// the phases, on each lane or alike on all; the same from elsewhere; kTable: the table alone.
enum class Source { kState, kPhases, kAlike, kPhasesElsewhere, kAlikeElsewhere, kTable };
enum class Sink { kState, kSums };

constexpr bool is_alike(Source source) { return source == Source::kAlike || source == Source::kAlikeElsewhere; }
constexpr bool is_elsewhere(Source source) {
  return source == Source::kPhasesElsewhere || source == Source::kAlikeElsewhere;
}

// RY on K neighbouring local bits.
template <class T, int K, int kLow, Source kSource, Sink kSink, Asks kAsks, bool kSteep>
void turn_stage(const Block<T>& block, int any_low, const typename Lanes<T>::V* sine,
                const typename Lanes<T>::V* cosine) {
  const int low = kLow < 0 ? any_low : kLow;
  using V = typename Lanes<T>::V;
  V s[K], c[K];
  for (int k = 0; k < K; ++k) s[k] = sine[k], c[k] = cosine[k];
  const uint32_t size = 1u << block.local_bits;
  for (uint32_t high = 0; high < size; high += 1u << (low + K))
    for (uint32_t x = high; x < high + (1u << low); ++x) {
      Amp<T> a[1 << K];
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g) {
        const uint32_t y = x + (uint32_t(g) << low);
        if constexpr (kSource == Source::kTable)
          a[g] = block.template phase<false>(y);
        else if constexpr (kSource != Source::kState)
          a[g] = kept(is_elsewhere(kSource) ? block.from(y) : block[y]) * block.template phase<is_alike(kSource)>(y);
        else
          a[g] = block[y];
        block.template fetch<kAsks>(y);
      }
#pragma GCC unroll 3
      for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
        for (int g = 0; g < 1 << K; ++g)
          if (!(g >> k & 1)) turn_pair<kSteep>(a[g], a[g | 1 << k], s[k], c[k]);
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g) {
        const uint32_t y = x + (uint32_t(g) << low);
        if constexpr (kSink == Sink::kSums)
          block.sums[y] += block.sign * (a[g].re * a[g].re + a[g].im * a[g].im);
        else
          block[y] = a[g];
      }
    }
}

// Lanes in order, times the phases, RY on bits of the lane.
template <class T, int L, bool kSteep>
void lane_stage(const Block<T>& block, const Pass& pass, const Gates<T>& gates) {
  using V = typename Lanes<T>::V;
  using I = typename Lanes<T>::I;
  I order{}, swapped[L > 0 ? L : 1];
  for (int k = 0; k < L; ++k)
    for (int l = 0; l < Lanes<T>::kWidth; ++l) swapped[k][l] = l ^ (1 << pass.lane_bits[k]);
  uint32_t first = 0;
  const bool sorts = pass.sorts && !pass.begins;
  if (sorts) {
    order = sort_order<T>(pass.sort, block.lane_mask);
    first = pass.sort.first(block.vector);
  }
  for (uint32_t x = 0; x < 1u << block.local_bits; ++x) {
    Amp<T> a = block.template phase<false>(x);
    if (!pass.begins) {
      Amp<T> before = block.from(x);
      if (sorts) {
        const I from = order ^ int(first ^ pass.sort_offsets[x]);
        before = {permute<T>(before.re, from), permute<T>(before.im, from)};
      }
      a = before * a;
    }
#pragma GCC unroll 4
    for (int k = 0; k < L; ++k) {
      const V re = permute<T>(a.re, swapped[k]), im = permute<T>(a.im, swapped[k]);
      if constexpr (kSteep)
        a = {gates.lane_cosine[k] * a.re + gates.lane_sine[k] * re, gates.lane_cosine[k] * a.im + gates.lane_sine[k] * im};
      else
        a = {a.re + gates.lane_sine[k] * re, a.im + gates.lane_sine[k] * im};
    }
    block[x] = a;
  }
}

// How many stages of at most `most` bits `count` bits take, and the bits of each, as even as can be.
inline int stages(int count, int most) { return (count + most - 1) / most; }
inline int stage_begin(int stage, int count, int most) { return stage * count / stages(count, most); }

// choose<bits>(), for as many bits as a lane can have.
template <class Choose>
auto with_lane_bits(int bits, Choose&& choose) {
  switch (bits) {
    case 0: return choose.template operator()<0>();
    case 1: return choose.template operator()<1>();
    case 2: return choose.template operator()<2>();
    case 3: return choose.template operator()<3>();
    default: return choose.template operator()<4>();
  }
}

// The stages of a pass, chosen once for all of its blocks. A table may be the block itself: every group of vectors
// is read before it is written.
template <class T>
class Stages {
  using V = typename Lanes<T>::V;
  using Turn = void (*)(const Block<T>&, int, const V*, const V*);
  using InLanes = void (*)(const Block<T>&, const Pass&, const Gates<T>&);

 public:
  Stages(const Pass& pass, const Gates<T>& gates, bool elsewhere, Asks asks, bool measures)
      : pass_(pass), gates_(gates) {
    const int size = int(pass.chains.size());
    count_ = stages(size, kForwardGroup);
    if (pass.works_in_lanes()) in_lanes_ = choose_lanes(int(pass.lane_chains.size()), gates.steep);
    for (int stage = 0; stage < count_; ++stage) {
      begin_[stage] = stage_begin(stage, size, kForwardGroup);
      const int bits = stage_begin(stage + 1, size, kForwardGroup) - begin_[stage];
      const Source source = stage > 0 || in_lanes_ ? Source::kState
                            : pass.begins          ? Source::kTable
                            : elsewhere            ? gates.alike ? Source::kAlikeElsewhere : Source::kPhasesElsewhere
                            : gates.alike          ? Source::kAlike
                                                   : Source::kPhases;
      const bool is_last = stage + 1 == count_;
      const Sink sink = measures && is_last ? Sink::kSums : Sink::kState;
      turns_[stage] = choose(bits, pass.num_free + begin_[stage], source, sink, is_last ? asks : Asks::kNothing);
    }
  }

  void run(const Block<T>& block) const {
    if (in_lanes_) in_lanes_(block, pass_, gates_);
    for (int stage = 0; stage < count_; ++stage)
      turns_[stage](block, pass_.num_free + begin_[stage], gates_.sine + begin_[stage], gates_.cosine + begin_[stage]);
  }

 private:
  static InLanes choose_lanes(int bits, bool steep) {
    return with_lane_bits(bits, [&]<int L>() -> InLanes {
      return steep ? lane_stage<T, L, true> : lane_stage<T, L, false>;
    });
  }
  Turn choose(int bits, int low, Source source, Sink sink, Asks asks) const {
    switch (bits) {
      case 1: return choose<1>(low, source, sink, asks);
      case 2: return choose<2>(low, source, sink, asks);
      default: return choose<3>(low, source, sink, asks);
    }
  }
  template <int K>
  Turn choose(int low, Source source, Sink sink, Asks asks) const {
    switch (source) {  // The common strides are known to the compiler.
      case Source::kState:
        return low == 3 ? choose<K, 3, Source::kState>(sink, asks) : choose<K, -1, Source::kState>(sink, asks);
      case Source::kPhases:
        return low == 0 ? choose<K, 0, Source::kPhases>(sink, asks) : choose<K, -1, Source::kPhases>(sink, asks);
      case Source::kAlike:
        return low == 0 ? choose<K, 0, Source::kAlike>(sink, asks) : choose<K, -1, Source::kAlike>(sink, asks);
      case Source::kPhasesElsewhere:
        return low == 0 ? choose_once<K, 0, Source::kPhasesElsewhere>(sink, asks)
                        : choose_once<K, -1, Source::kPhasesElsewhere>(sink, asks);
      case Source::kAlikeElsewhere:
        return low == 0 ? choose_once<K, 0, Source::kAlikeElsewhere>(sink, asks)
                        : choose_once<K, -1, Source::kAlikeElsewhere>(sink, asks);
      default:
        return low == 0 ? choose_once<K, 0, Source::kTable>(sink, asks) : choose_once<K, -1, Source::kTable>(sink, asks);
    }
  }
  template <int K, int kLow, Source kSource>
  Turn choose(Sink sink, Asks asks) const {
    switch (asks) {
      case Asks::kNothing: return choose<K, kLow, kSource, Asks::kNothing>(sink);
      case Asks::kBlock: return choose<K, kLow, kSource, Asks::kBlock>(sink);
      default: return choose<K, kLow, kSource, Asks::kTile>(sink);
    }
  }
  // For the one pass of a circuit that does not find its state in place: it does not ask for tiles.
  template <int K, int kLow, Source kSource>
  Turn choose_once(Sink sink, Asks asks) const {
    return asks == Asks::kNothing ? choose<K, kLow, kSource, Asks::kNothing>(sink)
                                  : choose<K, kLow, kSource, Asks::kBlock>(sink);
  }
  template <int K, int kLow, Source kSource, Asks kAsks>
  Turn choose(Sink sink) const {
    return sink == Sink::kState ? choose<K, kLow, kSource, kAsks, Sink::kState>()
                                : choose<K, kLow, kSource, kAsks, Sink::kSums>();
  }
  template <int K, int kLow, Source kSource, Asks kAsks, Sink kSink>
  Turn choose() const {
    return gates_.steep ? turn_stage<T, K, kLow, kSource, kSink, kAsks, true>
                        : turn_stage<T, K, kLow, kSource, kSink, kAsks, false>;
  }

  const Pass& pass_;
  const Gates<T>& gates_;
  int count_, begin_[kMaxLocalBits];
  Turn turns_[kMaxLocalBits];
  InLanes in_lanes_ = nullptr;
};

// Turns a pass's tables, in place, into what it leaves in the blocks of each variant.
template <class T>
void begin_in_table(const State<T>& psi, const Pass& pass, const Gates<T>& gates, Amp<T>* table) {
  const Stages<T> stages(pass, gates, false, Asks::kNothing, false);
  Block<T> block(psi, pass, gates);
  for (uint32_t variant = 0; variant < 1u << pass.num_variants; ++variant) {
    block.stand_on(table + (size_t(variant) << pass.local_bits()));
    stages.run(block);
  }
}

template <class T, Asks kAsks>
void copy_from_table(const Block<T>& block) {
  for (uint32_t x = 0; x < 1u << block.local_bits; ++x) {
    block[x] = block.template phase<false>(x);
    block.template fetch<kAsks>(x);
  }
}

// Where a pass finds its vectors when they are not in their place.
template <class T>
struct Elsewhere {
  const Amp<T>* vectors = nullptr;
  const std::vector<uint32_t>* offsets = nullptr;  // of a block's vectors
  const std::vector<uint32_t>* columns = nullptr;  // that lead from block to block
  uint32_t start = 0;

  static Elsewhere of_table(const Pass& pass, const Amp<T>* table) {
    return {table, &pass.entry_offsets, &pass.entry_columns, pass.entry_start};
  }
  static Elsewhere of_state(const Pass& pass, const State<T>& state) {
    return {state.data, &pass.offsets, &pass.columns, pass.start};
  }
};

// The blocks of a pass in order; where it has `begun` the table holds them already, and they are copied. With `sums`
// the state is not written: its squares are added there for each local index, with the sign of the measured row.
template <class T>
class BlockRun {
  using V = typename Lanes<T>::V;

 public:
  BlockRun(const State<T>& psi, const Pass& pass, const Gates<T>& gates, const Amp<T>* table, uint32_t begin,
           bool begun, const Elsewhere<T>& elsewhere, Asks asks, V* sums, uint32_t measured_row)
      : stages_(pass, gates, elsewhere.vectors != nullptr, asks, sums != nullptr), blocks_(pass, begin),
        ahead_(pass, begin + (asks != Asks::kNothing)), block_(psi, pass, gates), elsewhere_(elsewhere),
        places_(elsewhere.vectors ? *elsewhere.columns : pass.columns, elsewhere.start, begin), table_(table),
        measured_row_(measured_row), asks_(asks) {
    if (begun)
      copy_ = asks == Asks::kTile    ? copy_from_table<T, Asks::kTile>
              : asks == Asks::kBlock ? copy_from_table<T, Asks::kBlock>
                                     : copy_from_table<T, Asks::kNothing>;
    block_.sums = sums;
    if (pass.chains.empty() && !begun) asks_ = Asks::kNothing;  // the stage of the lanes does not ask
  }

  void run(uint32_t count, TileAhead<T>& tile) {
    Blocks blocks = blocks_, ahead = ahead_;
    for (uint32_t b = 0; b < count; ++b) {
      if (block_.sums) block_.sign = blocks.sign(measured_row_) ? V{} - 1 : V{} + 1;
      block_.move(table_, blocks, ahead);
      if (elsewhere_.vectors) {
        block_.read_from(elsewhere_.vectors, *elsewhere_.offsets, places_.base());
        places_.step();
      }
      if (asks_ == Asks::kTile) block_.ask_ahead(tile);
      blocks.step();
      ahead.step();
      copy_ ? copy_(block_) : stages_.run(block_);
    }
    blocks_ = blocks;
    ahead_ = ahead;
  }

 private:
  Stages<T> stages_;
  Blocks blocks_, ahead_;
  Block<T> block_;
  Elsewhere<T> elsewhere_;
  Walk places_;
  const Amp<T>* table_;
  uint32_t measured_row_;
  Asks asks_;
  void (*copy_)(const Block<T>&) = nullptr;
};

}  // namespace qjax
