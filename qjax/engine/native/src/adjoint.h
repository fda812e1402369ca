// Block passes, backward: what gradients need is read off two states, then the pass is undone on both.
#pragma once

#include "blocks.h"

namespace qjax {

// Im <lambda| sigma |psi> for the three Pauli matrices.
template <class T>
struct Bloch {
  typename Lanes<T>::V x, y, z;
};

// Sums over blocks.
template <class T>
struct Overlaps {
  Bloch<T> across[kMaxLocalBits] = {}, in_lanes[4] = {};
  typename Lanes<T>::V weights[1 << kMaxLocalBits] = {};  // for overlaps with Z
  typename Lanes<T>::V value = {};                        // <lambda|psi> where lambda begins

  void add(const Overlaps& other, uint32_t size) {
    auto join = [](Bloch<T>& a, const Bloch<T>& b) { a.x += b.x, a.y += b.y; };
    for (int k = 0; k < kMaxLocalBits; ++k) join(across[k], other.across[k]);
    for (int k = 0; k < 4; ++k) join(in_lanes[k], other.in_lanes[k]);
    for (uint32_t x = 0; x < size; ++x) weights[x] += other.weights[x];
    value += other.value;
  }
};

// Im(conj(l) p), the weight of an amplitude in overlaps with Z strings.
template <class V>
inline V weight(const Complex<V>& l, const Complex<V>& p) {
  return l.re * p.im - l.im * p.re;
}

// What of a pass is undone: nothing, lambda alone where psi is not needed any more, or both. Overlaps need both
// states alike, so psi falls behind in the last stage only.
enum class Undo { kNone, kLambda, kBoth };

// Which phases a stage takes back: those of the pass where it is the last one.
enum class Phases { kNone, kOnLanes, kAlike };

// Takes RY on K qubits back, and the phases behind them.
template <class T, int K, Phases kPhases, bool kSteep>
inline void undo_turns(const Block<T>& block, uint32_t x, int low, Amp<T>* a, const typename Lanes<T>::V* s,
                       const typename Lanes<T>::V* c) {
#pragma GCC unroll 3
  for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
    for (int g = 0; g < 1 << K; ++g)
      if (!(g >> k & 1)) turn_pair<kSteep>(a[g], a[g | 1 << k], s[k], c[k]);
#pragma GCC unroll 8
  for (int g = 0; g < 1 << K; ++g) {
    const uint32_t y = x + (uint32_t(g) << low);
    if constexpr (kPhases == Phases::kNone) {
      block[y] = a[g];
    } else {
      block[y] = a[g] * conj(block.template phase<kPhases == Phases::kAlike>(y));
      block.template fetch<Asks::kBlock>(y);
    }
  }
}

// Overlaps with X and Y on K neighbouring local bits; undoes their RY. Psi is held in registers while lambda
// goes by, then lambda is read again and undone by itself.
template <class T, int K, bool kFirst, Phases kPhases, Undo kUndo, bool kSteep>
void adjoint_stage(const Block<T>& psi, const Block<T>& lambda, int low, const typename Lanes<T>::V* sine,
                   const typename Lanes<T>::V* cosine, Bloch<T>* overlaps) {
  using V = typename Lanes<T>::V;
  V s[K], c[K], sx[K], sy[K];
  for (int k = 0; k < K; ++k) s[k] = sine[k], c[k] = cosine[k], sx[k] = overlaps[k].x, sy[k] = overlaps[k].y;
  const uint32_t size = 1u << psi.local_bits;
  for (uint32_t high = 0; high < size; high += 1u << (low + K))
    for (uint32_t x = high; x < high + (1u << low); ++x) {
      Amp<T> a[1 << K];
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g) a[g] = kept(psi[x + (uint32_t(g) << low)]);
      V tx[K], ty[K];  // of these amplitudes alone: one long chain of sums would be slow
      for (int k = 0; k < K; ++k) tx[k] = ty[k] = V{};
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g) {
        const uint32_t y = x + (uint32_t(g) << low);
        const Amp<T> l = kept(lambda[y]);
        if constexpr (kFirst) {
          psi.sums[y] += l.re * a[g].im;
          psi.sums[y] -= l.im * a[g].re;
        }
#pragma GCC unroll 3
        for (int k = 0; k < K; ++k) {
          const Amp<T>& p = a[g ^ 1 << k];
          // One product at a time, so that each is one multiply-add.
          tx[k] += l.re * p.im;
          tx[k] -= l.im * p.re;
          if (g >> k & 1) {
            ty[k] += l.re * p.re;
            ty[k] += l.im * p.im;
          } else {
            ty[k] -= l.re * p.re;
            ty[k] -= l.im * p.im;
          }
        }
      }
      for (int k = 0; k < K; ++k) sx[k] += tx[k], sy[k] += ty[k];
      if constexpr (kUndo == Undo::kBoth) undo_turns<T, K, kPhases, kSteep>(psi, x, low, a, s, c);
      if constexpr (kUndo != Undo::kNone) {
#pragma GCC unroll 8
        for (int g = 0; g < 1 << K; ++g) a[g] = kept(lambda[x + (uint32_t(g) << low)]);
        undo_turns<T, K, kPhases, kSteep>(lambda, x, low, a, s, c);
      }
    }
  for (int k = 0; k < K; ++k) overlaps[k].x = sx[k], overlaps[k].y = sy[k];
}

// Overlaps on bits of the lane; undoes their RY, takes the phases back and brings the lanes where they were.
template <class T, int L, Undo kUndo, bool kSteep>
void lane_adjoint_stage(const Block<T>& psi, const Block<T>& lambda, const Pass& pass, const Gates<T>& gates,
                        Bloch<T>* overlaps) {
  using V = typename Lanes<T>::V;
  using I = typename Lanes<T>::I;
  I order{}, swapped[L > 0 ? L : 1];
  V sx[L > 0 ? L : 1], sy[L > 0 ? L : 1];
  for (int k = 0; k < L; ++k) {
    for (int l = 0; l < Lanes<T>::kWidth; ++l) swapped[k][l] = l ^ (1 << pass.lane_bits[k]);
    sx[k] = overlaps[k].x;
    sy[k] = overlaps[k].y;
  }
  uint32_t first = 0;
  if (pass.sorts) {
    order = sort_order<T>(pass.unsort, psi.lane_mask);
    first = pass.unsort.first(psi.vector);
  }
  for (uint32_t x = 0; x < 1u << psi.local_bits; ++x) {
    Amp<T> a = kept(psi[x]), b = kept(lambda[x]);
#pragma GCC unroll 4
    for (int k = 0; k < L; ++k) {
      const Amp<T> p{permute<T>(a.re, swapped[k]), permute<T>(a.im, swapped[k])};
      sx[k] += b.re * p.im;
      sx[k] -= b.im * p.re;
      sy[k] += b.re * p.re;
      sy[k] += b.im * p.im;
      if constexpr (kUndo != Undo::kNone) {
        const Amp<T> q{permute<T>(b.re, swapped[k]), permute<T>(b.im, swapped[k])};
        const V s = gates.lane_sine[k], c = gates.lane_cosine[k];
        if constexpr (kSteep) {
          a = {c * a.re + s * p.re, c * a.im + s * p.im};
          b = {c * b.re + s * q.re, c * b.im + s * q.im};
        } else {
          a = {a.re + s * p.re, a.im + s * p.im};
          b = {b.re + s * q.re, b.im + s * q.im};
        }
      }
    }
    if constexpr (kUndo != Undo::kNone) {
      const Amp<T> phase = conj(psi.template phase<false>(x));
      const I from = order ^ int(first ^ (pass.sorts ? pass.unsort_offsets[x] : 0));
      auto put_back = [&](Amp<T> amp, const Block<T>& block) {
        amp = amp * phase;
        if (pass.sorts) amp = {permute<T>(amp.re, from), permute<T>(amp.im, from)};
        block[x] = amp;
      };
      if constexpr (kUndo == Undo::kBoth) put_back(a, psi);
      put_back(b, lambda);
    }
  }
  for (int k = 0; k < L; ++k) overlaps[k].x = sx[k], overlaps[k].y = sy[k];
}

// The stages of a pass on its way back, chosen once for all of its blocks.
template <class T>
class AdjointStages {
  using V = typename Lanes<T>::V;
  using Turn = void (*)(const Block<T>&, const Block<T>&, int, const V*, const V*, Bloch<T>*);
  using InLanes = void (*)(const Block<T>&, const Block<T>&, const Pass&, const Gates<T>&, Bloch<T>*);

 public:
  AdjointStages(const Pass& pass, const Gates<T>& gates, Undo undo) : pass_(pass), gates_(gates) {
    const int size = int(pass.chains.size());
    count_ = stages(size, kAdjointGroup);
    const bool in_lanes = pass.works_in_lanes();
    if (undo == Undo::kNone)
      choose<Undo::kNone, false>(size, in_lanes);
    else if (undo == Undo::kLambda)
      gates.steep ? choose<Undo::kLambda, true>(size, in_lanes) : choose<Undo::kLambda, false>(size, in_lanes);
    else
      gates.steep ? choose<Undo::kBoth, true>(size, in_lanes) : choose<Undo::kBoth, false>(size, in_lanes);
  }

  void run(const Block<T>& psi, const Block<T>& lambda, Overlaps<T>& overlaps) const {
    if (count_ == 0)
      for (uint32_t x = 0; x < 1u << psi.local_bits; ++x) psi.sums[x] += weight(lambda[x], psi[x]);
    for (int stage = 0; stage < count_; ++stage) {
      const int begin = begin_[stage];
      turns_[stage](psi, lambda, pass_.num_free + begin, gates_.sine + begin, gates_.cosine + begin,
                    overlaps.across + begin);
    }
    if (in_lanes_) in_lanes_(psi, lambda, pass_, gates_, overlaps.in_lanes);
  }

 private:
  template <Undo kUndo, bool kSteep>
  void choose(int size, bool in_lanes) {
    if (in_lanes) in_lanes_ = choose_lanes<kUndo, kSteep>(int(pass_.lane_chains.size()));
    for (int stage = 0; stage < count_; ++stage) {
      begin_[stage] = stage_begin(stage, size, kAdjointGroup);
      const int bits = stage_begin(stage + 1, size, kAdjointGroup) - begin_[stage];
      const bool last = stage == count_ - 1 && !in_lanes;
      turns_[stage] = bits == 1   ? choose<1, kUndo, kSteep>(stage == 0, last)
                      : bits == 2 ? choose<2, kUndo, kSteep>(stage == 0, last)
                                  : choose<3, kUndo, kSteep>(stage == 0, last);
    }
  }
  template <int K, Undo kUndo, bool kSteep>
  Turn choose(bool first, bool last) const {
    return first ? choose<K, true, kUndo, kSteep>(last) : choose<K, false, kUndo, kSteep>(last);
  }
  template <int K, bool kFirst, Undo kUndo, bool kSteep>
  Turn choose(bool last) const {
    constexpr Undo kOnTheWay = kUndo == Undo::kNone ? Undo::kNone : Undo::kBoth;
    if (!last) return adjoint_stage<T, K, kFirst, Phases::kNone, kOnTheWay, kSteep>;
    return gates_.alike ? adjoint_stage<T, K, kFirst, Phases::kAlike, kUndo, kSteep>
                        : adjoint_stage<T, K, kFirst, Phases::kOnLanes, kUndo, kSteep>;
  }
  template <Undo kUndo, bool kSteep>
  static InLanes choose_lanes(int bits) {
    return with_lane_bits(bits, []<int L>() -> InLanes { return lane_adjoint_stage<T, L, kUndo, kSteep>; });
  }

  const Pass& pass_;
  const Gates<T>& gates_;
  int count_, begin_[kMaxLocalBits];
  Turn turns_[kMaxLocalBits];
  InLanes in_lanes_ = nullptr;
};

// Lambda in terms of psi, where the observables are Z strings that the pass sees as signs.
template <class T>
struct Seed {
  const typename Lanes<T>::V* weights = nullptr;  // null: lambda is there
  uint32_t row = 0;
  bool measures = false;  // whether <lambda|psi> is wanted
};

// The blocks of a pass in order, backward; adds their overlaps.
template <class T>
class BlockUndo {
 public:
  BlockUndo(const State<T>& psi, const State<T>& lambda, const Pass& pass, const Gates<T>& gates, const Amp<T>* table,
            Undo undo, const Seed<T>& seed, uint32_t begin, Overlaps<T>& overlaps)
      : stages_(pass, gates, undo), blocks_(pass, begin), ahead_(pass, begin + 1), here_(psi, pass, gates),
        there_(lambda, pass, gates), table_(table), seed_(seed), overlaps_(overlaps) {
    here_.sums = overlaps.weights;
  }

  void run(uint32_t count) {
    for (uint32_t b = 0; b < count; ++b) {
      here_.move(table_, blocks_, ahead_);
      there_.move(table_, blocks_, ahead_);
      if (seed_.weights) seed_.measures ? begin_lambda<true>() : begin_lambda<false>();
      blocks_.step();
      ahead_.step();
      stages_.run(here_, there_, overlaps_);
    }
  }

 private:
  template <bool kMeasures>
  void begin_lambda() {
    using V = typename Lanes<T>::V;
    constexpr uint32_t kTogether = 4;  // one long chain of sums would be slow
    const bool negative = blocks_.sign(seed_.row);
    V sums[kTogether] = {};
    auto take = [&](uint32_t x, V& sum) {
      const V w = negative ? -seed_.weights[x] : seed_.weights[x];
      const Amp<T> amp = kept(here_[x]), weighted{w * amp.re, w * amp.im};
      there_[x] = weighted;
      if constexpr (kMeasures) sum += weighted.re * amp.re + weighted.im * amp.im;
    };
    const uint32_t size = 1u << here_.local_bits;
    uint32_t x = 0;
    for (; x + kTogether <= size; x += kTogether)
#pragma GCC unroll 4
      for (uint32_t k = 0; k < kTogether; ++k) take(x + k, sums[k]);
    for (; x < size; ++x) take(x, sums[0]);
    if constexpr (kMeasures) overlaps_.value += (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

  AdjointStages<T> stages_;
  Blocks blocks_, ahead_;
  Block<T> here_, there_;
  const Amp<T>* table_;
  Seed<T> seed_;
  Overlaps<T>& overlaps_;
};

// From the sums over all blocks to overlaps with the Pauli matrices of each qubit.
template <class T>
void finish_overlaps(const Pass& pass, const Gates<T>& gates, Undo undo, Overlaps<T>& overlaps) {
  using V = typename Lanes<T>::V;
  if (undo != Undo::kNone && !gates.steep) {
    // Both states had grown by the cosines that the undoing of earlier qubits left out: those of earlier stages,
    // and those of earlier bits of the lane.
    const int size = int(pass.chains.size());
    V scale = V{} + 1, next = scale;
    for (int k = 0, stage = 0; k < size; ++k) {
      if (k == stage_begin(stage, size, kAdjointGroup)) scale = next, ++stage;
      overlaps.across[k].x *= scale;
      overlaps.across[k].y *= scale;
      next *= gates.cosine[k] * gates.cosine[k];
    }
    for (size_t k = 0; k < pass.lane_chains.size(); ++k) {
      overlaps.in_lanes[k].x *= next;
      overlaps.in_lanes[k].y *= next;
      next *= gates.lane_cosine[k] * gates.lane_cosine[k];
    }
  }
  const V* weights = overlaps.weights;
  const uint32_t size = 1u << pass.local_bits();
  V all{};
  for (uint32_t x = 0; x < size; ++x) all += weights[x];
  for (size_t k = 0; k < pass.chains.size(); ++k)
    for (uint32_t x = 0; x < size; ++x)
      overlaps.across[k].z += x >> (pass.num_free + k) & 1 ? -weights[x] : weights[x];
  for (size_t k = 0; k < pass.lane_chains.size(); ++k) {
    const V signs = lane_signs<T>(1u << pass.lane_bits[k]);
    overlaps.in_lanes[k].y *= -signs;
    overlaps.in_lanes[k].z = all * signs;
  }
}

}  // namespace qjax
