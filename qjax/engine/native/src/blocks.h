// Block passes, forward: phases, then RY on up to six qubits across vectors and on the bits of the lane.
//
// A block's vectors are wherever the frame has them; stages take them through the registers, a few qubits at a
// time, and leave them where they were. RY is real, and with its cosine taken out (into the phases) it costs one
// multiply-add for each component; a steep one, whose cosine is near zero, costs two.
#pragma once

#include "state.h"
#include "tables.h"

namespace qjax {

// The blocks of a pass one after the other, each one XOR away from the one before.
class Blocks {
 public:
  Blocks(const Pass& pass, uint32_t begin) : pass_(pass), number_(begin), base_(pass.start) {
    for (size_t c = 0; c < pass.columns.size(); ++c)
      if (code() >> c & 1) base_ ^= pass.columns[c];
  }
  uint32_t base() const { return base_; }
  // A block and the one that comes after it.
  struct Step {
    uint32_t vector, variant, next;
  };
  Step step() {
    Step out{base_, variant(), 0};
    const uint32_t column = __builtin_ctz(++number_);
    if (column < pass_.columns.size()) base_ ^= pass_.columns[column];
    out.next = base_;
    return out;
  }
  // Parity of a row over the columns that lead to the block.
  uint32_t sign(uint32_t row) const { return parity(row & code()); }

 private:
  // Which of the tables the block takes.
  uint32_t variant() const {
    uint32_t out = 0;
    for (int k = 0; k < pass_.num_variants; ++k) out |= sign(pass_.variant_rows[k]) << k;
    return out;
  }

  uint32_t code() const { return number_ ^ number_ >> 1; }
  const Pass& pass_;
  uint32_t number_, base_;
};

// (a, b) <- RY (a, b), up to the cosine unless steep.
template <bool kSteep, class V>
inline void turn_pair(Complex<V>& a, Complex<V>& b, V s, V c) {
  const Complex<V> p = a, q = b;
  if constexpr (kSteep) {
    a = {c * p.re - s * q.re, c * p.im - s * q.im};
    b = {c * q.re + s * p.re, c * q.im + s * p.im};
  } else {
    a = {p.re - s * q.re, p.im - s * q.im};
    b = {q.re + s * p.re, q.im + s * p.im};
  }
}

// A block as the stages of a pass see it: where its vectors are, and those of the block that comes next.
template <class T>
struct Block {
  using V = typename Lanes<T>::V;
  const Amp<T>* table = nullptr;
  int local_bits;
  uint32_t lane_mask, vector = 0;
  V sign, *sums = nullptr;  // of a measurement

  Block(const State<T>& psi, const Pass& pass, uint32_t first)
      : local_bits(pass.local_bits()), lane_mask(psi.lane_mask()), state_(reinterpret_cast<uintptr_t>(psi.data)) {
    for (size_t x = 0; x < pass.offsets.size(); ++x) offsets_[x] = pass.offsets[x] * sizeof(Amp<T>);
    place(first);
  }

  // Goes on to the block that was next.
  void move(const Amp<T>* tables, const Blocks::Step& step) {
    table = tables + (size_t(step.variant) << local_bits);
    vector = step.vector;
    std::swap(here_, next_);
    place(step.next);
  }

  Amp<T>& operator[](uint32_t x) const { return *reinterpret_cast<Amp<T>*>(here_[x]); }
  // Asks for the same vector of the next block: its lines are too scattered for the processor to guess.
  void fetch(uint32_t x) const {
    for (size_t byte = 0; byte < sizeof(Amp<T>); byte += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(next_[x]) + byte);
  }

 private:
  // By vectors of addresses: one by one, on the way, they would take the place of arithmetic.
  void place(uint32_t vector) {
    const uintptr_t base = vector * sizeof(Amp<T>);
    uintptr_t* places = next_;
    for (size_t x = 0; x < size_t(1) << local_bits; ++x) places[x] = state_ + (base ^ offsets_[x]);
  }

  static constexpr size_t kSize = 1 << kMaxLocalBits;
  uintptr_t state_, *here_ = places_, *next_ = places_ + kSize;
  alignas(64) uintptr_t offsets_[kSize];
  alignas(64) uintptr_t places_[2 * kSize];
};

// Keeps a value that is read twice in a register, where the compiler would read memory twice.
template <class V>
inline void keep(V& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  asm("" : "+x"(value));
#else
  (void)value;
#endif
}

template <class V>
inline Complex<V> kept(const Complex<V>& amp) {
  Complex<V> out{amp.re, amp.im};  // by parts: as a whole it would be copied in small pieces
  keep(out.re);
  keep(out.im);
  return out;
}

// What a stage takes its amplitudes from, and what becomes of them.
enum class Source { kState, kPhases, kTable };  // as they are, times the phases, the table alone
enum class Sink { kState, kLast, kSums };       // kLast: nothing comes after it on the block

// RY on K neighbouring local bits.
template <class T, int K, int kLow, Source kSource, Sink kSink, bool kSteep>
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
          a[g] = block.table[y];
        else if constexpr (kSource == Source::kPhases)
          a[g] = kept(block[y]) * kept(block.table[y]);
        else
          a[g] = block[y];
        if constexpr (kSink != Sink::kState) block.fetch(y);
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
    Amp<T> a = block.table[x];
    if (!pass.begins) {
      Amp<T> before = block[x];
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

// The stages of a pass, chosen once for all of its blocks.
template <class T>
class Stages {
  using V = typename Lanes<T>::V;
  using Turn = void (*)(const Block<T>&, int, const V*, const V*);
  using InLanes = void (*)(const Block<T>&, const Pass&, const Gates<T>&);

 public:
  Stages(const Pass& pass, const Gates<T>& gates, bool measures) : pass_(pass), gates_(gates) {
    const int size = int(pass.chains.size());
    count_ = stages(size, kForwardGroup);
    if (pass.works_in_lanes()) in_lanes_ = choose_lanes(int(pass.lane_chains.size()), gates.steep);
    for (int stage = 0; stage < count_; ++stage) {
      begin_[stage] = stage_begin(stage, size, kForwardGroup);
      const int bits = stage_begin(stage + 1, size, kForwardGroup) - begin_[stage];
      const Source source = stage > 0 || in_lanes_ ? Source::kState : pass.begins ? Source::kTable : Source::kPhases;
      const Sink sink = stage + 1 < count_ ? Sink::kState : measures ? Sink::kSums : Sink::kLast;
      turns_[stage] = gates.steep ? choose<true>(bits, pass.num_free + begin_[stage], source, sink)
                                  : choose<false>(bits, pass.num_free + begin_[stage], source, sink);
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
  template <bool kSteep>
  static Turn choose(int bits, int low, Source source, Sink sink) {
    switch (bits) {
      case 1: return choose<kSteep, 1>(low, source, sink);
      case 2: return choose<kSteep, 2>(low, source, sink);
      default: return choose<kSteep, 3>(low, source, sink);
    }
  }
  template <bool kSteep, int K>
  static Turn choose(int low, Source source, Sink sink) {
    // The common strides are known to the compiler.
    if (source != Source::kState) return low == 0 ? choose<kSteep, K, 0>(source, sink) : choose<kSteep, K, -1>(source, sink);
    return low == 3 ? choose<kSteep, K, 3>(source, sink) : choose<kSteep, K, -1>(source, sink);
  }
  template <bool kSteep, int K, int kLow>
  static Turn choose(Source source, Sink sink) {
    switch (source) {
      case Source::kState: return choose<kSteep, K, kLow, Source::kState>(sink);
      case Source::kPhases: return choose<kSteep, K, kLow, Source::kPhases>(sink);
      default: return choose<kSteep, K, kLow, Source::kTable>(sink);
    }
  }
  template <bool kSteep, int K, int kLow, Source kSource>
  static Turn choose(Sink sink) {
    switch (sink) {
      case Sink::kState: return turn_stage<T, K, kLow, kSource, Sink::kState, kSteep>;
      case Sink::kLast: return turn_stage<T, K, kLow, kSource, Sink::kLast, kSteep>;
      default: return turn_stage<T, K, kLow, kSource, Sink::kSums, kSteep>;
    }
  }

  const Pass& pass_;
  const Gates<T>& gates_;
  int count_, begin_[kMaxLocalBits];
  Turn turns_[kMaxLocalBits];
  InLanes in_lanes_ = nullptr;
};

// Blocks [begin, end) of a pass. With `sums` the state is not written: its squares are added there for each
// local index, with the sign of the measured row.
template <class T>
void run_blocks(const State<T>& psi, const Pass& pass, const Gates<T>& gates, const Amp<T>* table, uint32_t begin,
                uint32_t end, typename Lanes<T>::V* sums, uint32_t measured_row) {
  using V = typename Lanes<T>::V;
  const Stages<T> stages(pass, gates, sums != nullptr);
  Blocks blocks(pass, begin);
  Block<T> block(psi, pass, blocks.base());
  block.sums = sums;
  for (uint32_t b = begin; b < end; ++b) {
    if (sums) block.sign = blocks.sign(measured_row) ? V{} - 1 : V{} + 1;
    block.move(table, blocks.step());
    stages.run(block);
  }
}

}  // namespace qjax
