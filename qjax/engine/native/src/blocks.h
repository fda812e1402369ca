// Block passes, forward: phases, then RY on up to six qubits across vectors and on the bits of the lane.
//
// A block's vectors are brought together from wherever the frame has them, taken through the registers a few
// qubits at a time, and put back. RY is real, and with its cosine taken out (into the phases) it costs one
// multiply-add for each component; a steep one, whose cosine is near zero, costs two.
#pragma once

#include "state.h"
#include "values.h"

namespace qjax {

// What the gates of a pass multiply by: tangent alone, or sine and cosine where one of them is steep.
template <class T>
struct Gates {
  using V = typename Lanes<T>::V;
  bool steep = false;
  V sine[kMaxLocalBits], cosine[kMaxLocalBits];  // the sine is the tangent where nothing is steep
  V lane_sine[4], lane_cosine[4];                // negative sine on lanes where the qubit reads zero
  V scale = V{} + 1;

  Gates(const Pass& pass, const Values<T>& values, bool inverse) {
    for (const auto& chains : {pass.chains, pass.lane_chains})
      for (int32_t chain : chains) steep |= values.is_steep(chain);
    auto gate = [&](int32_t chain, V& s, V& c) {
      s = steep ? values.sine(chain) : values.tangent(chain);
      c = values.cosine(chain);
      if (!steep) scale *= c;
      if (inverse) s = -s;
    };
    for (size_t k = 0; k < pass.chains.size(); ++k) gate(pass.chains[k], sine[k], cosine[k]);
    for (size_t k = 0; k < pass.lane_chains.size(); ++k) {
      gate(pass.lane_chains[k], lane_sine[k], lane_cosine[k]);
      lane_sine[k] *= -lane_signs<T>(1u << pass.lane_bits[k]);
    }
  }
};

// table[variant][x] = scale * the product of the pass's phases at local index x.
template <class T>
void build_table(const Pass& pass, const Values<T>& values, typename Lanes<T>::V scale, Amp<T>* table) {
  using V = typename Lanes<T>::V;
  const uint32_t size = 1u << pass.local_bits();
  const Amp<T> one{V{} + 1, V{}};
  // The factors of a string at even and odd local parity.
  struct Sides {
    Amp<T> even, odd;
    bool even_is_one;
  };
  auto sides = [&](const String& s, bool flipped) {
    const Amp<T> w = values.factor(s);
    Sides out{one, w, true};
    const uint32_t lanes = s.row & values.lane_mask();
    if (lanes) {
      const V signs = lane_signs<T>(lanes);
      const auto even = signs > 0;
      out = {{even ? one.re : w.re, even ? one.im : w.im}, {even ? w.re : one.re, even ? w.im : one.im}, false};
    }
    if (flipped) {
      std::swap(out.even, out.odd);
      out.even_is_one = false;
    }
    return out;
  };
  Amp<T> base{scale, V{}};
  for (const String& s : pass.strings)
    if (s.variant < 0 && s.local == 0) base = base * sides(s, s.one).even;
  table[0] = base;
  for (int bit = 0; bit < pass.local_bits(); ++bit) {
    const uint32_t half = 1u << bit;
    Sides both{one, one, true};
    for (const String& s : pass.strings)
      if (s.variant < 0 && s.local == half) {
        const Sides next = sides(s, s.one);
        both = {both.even * next.even, both.odd * next.odd, both.even_is_one && next.even_is_one};
      }
    for (uint32_t x = 0; x < half; ++x) {
      table[x + half] = table[x] * both.odd;
      if (!both.even_is_one) table[x] = table[x] * both.even;
    }
  }
  auto multiply = [&](Amp<T>* into, const String& s, bool flipped) {
    const Sides both = sides(s, flipped);
    for (uint32_t x = 0; x < size; ++x) {
      if (parity(x & s.local))
        into[x] = into[x] * both.odd;
      else if (!both.even_is_one)
        into[x] = into[x] * both.even;
    }
  };
  for (const String& s : pass.strings)
    if (s.variant < 0 && (s.local & (s.local - 1)) != 0) multiply(table, s, s.one);
  for (uint32_t variant = 1; variant < 1u << pass.num_variants; ++variant)
    std::copy_n(table, size, table + variant * size);
  for (uint32_t variant = 0; variant < 1u << pass.num_variants; ++variant)
    for (const String& s : pass.strings)
      if (s.variant >= 0) multiply(table + variant * size, s, s.one ^ (variant >> s.variant & 1));
}

// The blocks of a pass one after the other, each one XOR away from the one before.
class Blocks {
 public:
  Blocks(const Pass& pass, uint32_t begin) : pass_(pass), number_(begin), base_(pass.start) {
    for (size_t c = 0; c < pass.columns.size(); ++c)
      if (code() >> c & 1) base_ ^= pass.columns[c];
  }
  static uint32_t count(const Pass& pass) { return 1u << pass.columns.size(); }
  uint32_t base() const { return base_; }
  // Which of the tables the block takes.
  uint32_t variant() const {
    uint32_t out = 0;
    for (int k = 0; k < pass_.num_variants; ++k) out |= parity(pass_.variant_rows[k] & code()) << k;
    return out;
  }
  void next() {
    const uint32_t column = __builtin_ctz(++number_);
    if (column < pass_.columns.size()) base_ ^= pass_.columns[column];
  }

 private:
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

// Where a block's vectors are in the state, in bytes: from its base by XOR with the offsets.
struct Places {
  uint64_t base, offsets[1 << kMaxLocalBits];
  size_t count;

  template <class T>
  void set(const Pass& pass) {
    count = pass.offsets.size();
    for (size_t x = 0; x < count; ++x) offsets[x] = uint64_t(pass.offsets[x]) * sizeof(Amp<T>);
  }

  // Asks for the next block: its lines are too scattered for the processor to guess.
  template <class T>
  void fetch(const Amp<T>* state, uint32_t vector) const {
    const char* start = reinterpret_cast<const char*>(state);
    const uint64_t next = uint64_t(vector) * sizeof(Amp<T>);
    for (size_t x = 0; x < count; ++x)
      for (size_t line = 0; line < sizeof(Amp<T>); line += 64) __builtin_prefetch(start + (next ^ offsets[x]) + line, 1);
  }
};

template <class T>
struct Block {
  Amp<T>* state;   // of the whole circuit
  Amp<T>* scratch;
  const Amp<T>* table;
  int local_bits;
  uint32_t lane_mask, vector;  // of the base

  Amp<T>& at(uint64_t place) const { return *reinterpret_cast<Amp<T>*>(reinterpret_cast<char*>(state) + place); }
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
  Complex<V> out = amp;
  keep(out.re);
  keep(out.im);
  return out;
}

// RY on K neighbouring local bits. The first stage of a block reads the state and multiplies by the phases,
// the last one writes the state.
template <class T, int K, int kLow, bool kFirst, bool kLast, bool kSteep>
void turn_stage(const Block<T>& block, const Places& places, int any_low, const typename Lanes<T>::V* sine,
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
        if constexpr (kFirst)
          a[g] = kept(block.at(places.base ^ places.offsets[y])) * kept(block.table[y]);
        else
          a[g] = block.scratch[y];
      }
#pragma GCC unroll 3
      for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
        for (int g = 0; g < 1 << K; ++g)
          if (!(g >> k & 1)) turn_pair<kSteep>(a[g], a[g | 1 << k], s[k], c[k]);
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g) {
        const uint32_t y = x + (uint32_t(g) << low);
        if constexpr (kLast)
          block.at(places.base ^ places.offsets[y]) = a[g];
        else
          block.scratch[y] = a[g];
      }
    }
}

template <class T, int K, bool kSteep>
void turn_stage(const Block<T>& block, const Places& places, int low, bool first, bool last,
                const typename Lanes<T>::V* sine, const typename Lanes<T>::V* cosine) {
  // The common strides are known to the compiler.
  if (first && last)
    turn_stage<T, K, -1, true, true, kSteep>(block, places, low, sine, cosine);
  else if (first && low == 0)
    turn_stage<T, K, 0, true, false, kSteep>(block, places, low, sine, cosine);
  else if (first)
    turn_stage<T, K, -1, true, false, kSteep>(block, places, low, sine, cosine);
  else if (last && low == K)
    turn_stage<T, K, K, false, true, kSteep>(block, places, low, sine, cosine);
  else if (last)
    turn_stage<T, K, -1, false, true, kSteep>(block, places, low, sine, cosine);
  else
    turn_stage<T, K, -1, false, false, kSteep>(block, places, low, sine, cosine);
}

// Brings a block into the scratch: lanes in order, times the phases, RY on bits of the lane.
template <class T, int L, bool kSteep>
void lane_stage(const Block<T>& block, const Places& places, const Pass& pass, const Gates<T>& gates) {
  using V = typename Lanes<T>::V;
  using I = typename Lanes<T>::I;
  I order{}, swapped[L > 0 ? L : 1];
  for (int k = 0; k < L; ++k)
    for (int l = 0; l < Lanes<T>::kWidth; ++l) swapped[k][l] = l ^ (1 << pass.lane_bits[k]);
  uint32_t first = 0;
  if (pass.sorts) {
    order = sort_order<T>(pass.sort, block.lane_mask);
    first = pass.sort.first(block.vector);
  }
  for (uint32_t x = 0; x < 1u << block.local_bits; ++x) {
    Amp<T> a = block.at(places.base ^ places.offsets[x]);
    if (pass.sorts) {
      const I from = order ^ int(first ^ pass.sort_offsets[x]);
      a = {permute<T>(a.re, from), permute<T>(a.im, from)};
    }
    a = a * block.table[x];
#pragma GCC unroll 4
    for (int k = 0; k < L; ++k) {
      const V re = permute<T>(a.re, swapped[k]), im = permute<T>(a.im, swapped[k]);
      if constexpr (kSteep)
        a = {gates.lane_cosine[k] * a.re + gates.lane_sine[k] * re, gates.lane_cosine[k] * a.im + gates.lane_sine[k] * im};
      else
        a = {a.re + gates.lane_sine[k] * re, a.im + gates.lane_sine[k] * im};
    }
    block.scratch[x] = a;
  }
}

template <class T, bool kSteep>
void lane_stage(const Block<T>& block, const Places& places, const Pass& pass, const Gates<T>& gates) {
  switch (pass.lane_chains.size()) {
    case 0: return lane_stage<T, 0, kSteep>(block, places, pass, gates);
    case 1: return lane_stage<T, 1, kSteep>(block, places, pass, gates);
    case 2: return lane_stage<T, 2, kSteep>(block, places, pass, gates);
    case 3: return lane_stage<T, 3, kSteep>(block, places, pass, gates);
    default: return lane_stage<T, 4, kSteep>(block, places, pass, gates);
  }
}

// How many stages of at most `most` bits `count` bits take, and the bits of each, as even as can be.
inline int stages(int count, int most) { return (count + most - 1) / most; }
inline int stage_begin(int stage, int count, int most) { return stage * count / stages(count, most); }

template <class T, bool kSteep>
void block_forward(const Block<T>& block, const Places& places, const Pass& pass, const Gates<T>& gates) {
  const bool in_lanes = pass.works_in_lanes() || pass.chains.empty();
  if (in_lanes) lane_stage<T, kSteep>(block, places, pass, gates);
  const int count = int(pass.chains.size()), number = stages(count, kForwardGroup);
  for (int stage = 0; stage < number; ++stage) {
    const int begin = stage_begin(stage, count, kForwardGroup), end = stage_begin(stage + 1, count, kForwardGroup);
    const bool first = stage == 0 && !in_lanes, last = stage == number - 1;
    const auto *s = gates.sine + begin, *c = gates.cosine + begin;
    const int low = pass.num_free + begin;
    switch (end - begin) {
      case 1: turn_stage<T, 1, kSteep>(block, places, low, first, last, s, c); break;
      case 2: turn_stage<T, 2, kSteep>(block, places, low, first, last, s, c); break;
      default: turn_stage<T, 3, kSteep>(block, places, low, first, last, s, c);
    }
  }
  if (number == 0)
    for (uint32_t x = 0; x < 1u << block.local_bits; ++x) block.at(places.base ^ places.offsets[x]) = block.scratch[x];
}

// Blocks [begin, end) of a pass.
template <class T>
void run_blocks(const State<T>& psi, const Pass& pass, const Values<T>& values, Amp<T>* scratch, Amp<T>* table,
                uint32_t begin, uint32_t end) {
  const Gates<T> gates(pass, values, false);
  build_table<T>(pass, values, gates.scale, table);
  Blocks blocks(pass, begin);
  Block<T> block{psi.data, scratch, nullptr, pass.local_bits(), psi.lane_mask(), 0};
  Places places;
  places.set<T>(pass);
  for (uint32_t b = begin; b < end; ++b) {
    block.vector = blocks.base();
    places.base = uint64_t(block.vector) * sizeof(Amp<T>);
    block.table = table + (size_t(blocks.variant()) << block.local_bits);
    blocks.next();
    if (psi.spills()) places.template fetch<T>(psi.data, blocks.base());
    gates.steep ? block_forward<T, true>(block, places, pass, gates) : block_forward<T, false>(block, places, pass, gates);
  }
}

}  // namespace qjax
