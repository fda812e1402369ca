// Block passes, backward: what gradients need is read off two states, then the pass is undone on both.
#pragma once

#include "blocks.h"

namespace qjax {

// Im <lambda| sigma |psi> for the three Pauli matrices.
template <class T>
struct Bloch {
  typename Lanes<T>::V x, y, z;
};

template <class T>
struct Overlaps {
  Bloch<T> across[kMaxLocalBits] = {}, in_lanes[4] = {};
};

// Im(conj(l) p), the weight of an amplitude in overlaps with Z strings.
template <class V>
inline V weight(const Complex<V>& l, const Complex<V>& p) {
  return l.re * p.im - l.im * p.re;
}

template <class T>
struct BlockPair {
  Block<T> psi, lambda;
  typename Lanes<T>::V* weights;  // summed over blocks
  Places places;
};

// Overlaps with X and Y on K neighbouring local bits; undoes their RY. The first stage reads the states, the
// last one takes the phases back and writes them.
template <class T, int K, bool kFirst, bool kLast, bool kUndo, bool kSteep>
void adjoint_stage(const BlockPair<T>& pair, int low, const typename Lanes<T>::V* sine,
                   const typename Lanes<T>::V* cosine, Bloch<T>* overlaps) {
  using V = typename Lanes<T>::V;
  V s[K], c[K], sx[K], sy[K];
  for (int k = 0; k < K; ++k) s[k] = sine[k], c[k] = cosine[k], sx[k] = overlaps[k].x, sy[k] = overlaps[k].y;
  const Block<T>&psi = pair.psi, &lambda = pair.lambda;
  const uint32_t size = 1u << psi.local_bits;
  for (uint32_t high = 0; high < size; high += 1u << (low + K))
    for (uint32_t x = high; x < high + (1u << low); ++x) {
      Amp<T> a[1 << K], b[1 << K];
#pragma GCC unroll 4
      for (int g = 0; g < 1 << K; ++g) {
        const uint32_t y = x + (uint32_t(g) << low);
        if constexpr (kFirst) {
          const uint64_t place = pair.places.base ^ pair.places.offsets[y];
          a[g] = kept(psi.at(place));
          b[g] = kept(lambda.at(place));
          pair.weights[y] += weight(b[g], a[g]);
        } else {
          a[g] = psi.scratch[y];
          b[g] = lambda.scratch[y];
        }
      }
#pragma GCC unroll 2
      for (int k = 0; k < K; ++k)
#pragma GCC unroll 4
        for (int g = 0; g < 1 << K; ++g)
          if (!(g >> k & 1)) {
            Amp<T>&p = a[g], &q = a[g | 1 << k], &l = b[g], &m = b[g | 1 << k];
            sx[k] += weight(l, q) + weight(m, p);
            sy[k] += m.re * p.re + m.im * p.im - l.re * q.re - l.im * q.im;
            if constexpr (kUndo) {
              turn_pair<kSteep>(p, q, s[k], c[k]);
              turn_pair<kSteep>(l, m, s[k], c[k]);
            }
          }
      if constexpr (kUndo || !kLast) {
#pragma GCC unroll 4
        for (int g = 0; g < 1 << K; ++g) {
          const uint32_t y = x + (uint32_t(g) << low);
          if constexpr (kLast) {
            const uint64_t place = pair.places.base ^ pair.places.offsets[y];
            const Amp<T> phase = conj(kept(psi.table[y]));
            psi.at(place) = a[g] * phase;
            lambda.at(place) = b[g] * phase;
          } else {
            psi.scratch[y] = a[g];
            lambda.scratch[y] = b[g];
          }
        }
      }
    }
  for (int k = 0; k < K; ++k) overlaps[k].x = sx[k], overlaps[k].y = sy[k];
}

template <class T, int K, bool kUndo, bool kSteep>
void adjoint_stage(const BlockPair<T>& pair, int low, bool first, bool last, const typename Lanes<T>::V* sine,
                   const typename Lanes<T>::V* cosine, Bloch<T>* overlaps) {
  if (first)
    last ? adjoint_stage<T, K, true, true, kUndo, kSteep>(pair, low, sine, cosine, overlaps)
         : adjoint_stage<T, K, true, false, kUndo, kSteep>(pair, low, sine, cosine, overlaps);
  else
    last ? adjoint_stage<T, K, false, true, kUndo, kSteep>(pair, low, sine, cosine, overlaps)
         : adjoint_stage<T, K, false, false, kUndo, kSteep>(pair, low, sine, cosine, overlaps);
}

// Overlaps on bits of the lane; undoes their RY, takes the phases back and writes both states.
template <class T, int L, bool kUndo, bool kSteep>
void lane_adjoint_stage(const BlockPair<T>& pair, const Pass& pass, const Gates<T>& gates, Bloch<T>* overlaps) {
  using V = typename Lanes<T>::V;
  using I = typename Lanes<T>::I;
  const Block<T>&psi = pair.psi, &lambda = pair.lambda;
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
    Amp<T> a = psi.scratch[x], b = lambda.scratch[x];
#pragma GCC unroll 4
    for (int k = 0; k < L; ++k) {
      const Amp<T> p{permute<T>(a.re, swapped[k]), permute<T>(a.im, swapped[k])};
      sx[k] += weight(b, p);
      sy[k] += b.re * p.re + b.im * p.im;
      if constexpr (kUndo) {
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
    if constexpr (kUndo) {
      const Amp<T> phase = conj(psi.table[x]);
      a = a * phase;
      b = b * phase;
      if (pass.sorts) {
        const I from = order ^ int(first ^ pass.unsort_offsets[x]);
        a = {permute<T>(a.re, from), permute<T>(a.im, from)};
        b = {permute<T>(b.re, from), permute<T>(b.im, from)};
      }
      const uint64_t place = pair.places.base ^ pair.places.offsets[x];
      psi.at(place) = a;
      lambda.at(place) = b;
    }
  }
  for (int k = 0; k < L; ++k) overlaps[k].x = sx[k], overlaps[k].y = sy[k];
}

template <class T, bool kUndo, bool kSteep>
void lane_adjoint_stage(const BlockPair<T>& pair, const Pass& pass, const Gates<T>& gates, Bloch<T>* overlaps) {
  switch (pass.lane_chains.size()) {
    case 0: return lane_adjoint_stage<T, 0, kUndo, kSteep>(pair, pass, gates, overlaps);
    case 1: return lane_adjoint_stage<T, 1, kUndo, kSteep>(pair, pass, gates, overlaps);
    case 2: return lane_adjoint_stage<T, 2, kUndo, kSteep>(pair, pass, gates, overlaps);
    case 3: return lane_adjoint_stage<T, 3, kUndo, kSteep>(pair, pass, gates, overlaps);
    default: return lane_adjoint_stage<T, 4, kUndo, kSteep>(pair, pass, gates, overlaps);
  }
}

template <class T, bool kUndo, bool kSteep>
void block_backward(const BlockPair<T>& pair, const Pass& pass, const Gates<T>& gates, Overlaps<T>& overlaps) {
  const bool in_lanes = pass.works_in_lanes() || pass.chains.empty();
  const int count = int(pass.chains.size()), number = stages(count, kAdjointGroup);
  if (number == 0)
    for (uint32_t x = 0; x < 1u << pair.psi.local_bits; ++x) {
      const uint64_t place = pair.places.base ^ pair.places.offsets[x];
      pair.psi.scratch[x] = pair.psi.at(place);
      pair.lambda.scratch[x] = pair.lambda.at(place);
      pair.weights[x] += weight(pair.lambda.scratch[x], pair.psi.scratch[x]);
    }
  for (int stage = 0; stage < number; ++stage) {
    const int begin = stage_begin(stage, count, kAdjointGroup), end = stage_begin(stage + 1, count, kAdjointGroup);
    const bool last = stage == number - 1 && !in_lanes;
    const auto *s = gates.sine + begin, *c = gates.cosine + begin;
    const int low = pass.num_free + begin;
    if (end - begin == 1)
      adjoint_stage<T, 1, kUndo, kSteep>(pair, low, stage == 0, last, s, c, overlaps.across + begin);
    else
      adjoint_stage<T, 2, kUndo, kSteep>(pair, low, stage == 0, last, s, c, overlaps.across + begin);
  }
  if (in_lanes) lane_adjoint_stage<T, kUndo, kSteep>(pair, pass, gates, overlaps.in_lanes);
}

// Blocks [begin, end) of a pass, backward; adds their overlaps. Without `undo` the states stay as they are.
template <class T>
void run_blocks_backward(const State<T>& psi, const State<T>& lambda, const Pass& pass, const Values<T>& values,
                         Amp<T>* scratch, Amp<T>* table, typename Lanes<T>::V* weights, bool undo, uint32_t begin,
                         uint32_t end, Overlaps<T>& overlaps) {
  using V = typename Lanes<T>::V;
  const Gates<T> gates(pass, values, true);
  if (undo) build_table<T>(pass, values, gates.scale, table);
  const int local_bits = pass.local_bits();
  const uint32_t size = 1u << local_bits;
  std::fill_n(weights, size, V{});
  Blocks blocks(pass, begin);
  BlockPair<T> pair{{psi.data, scratch, nullptr, local_bits, psi.lane_mask(), 0},
                    {lambda.data, scratch + size, nullptr, local_bits, psi.lane_mask(), 0},
                    weights,
                    {}};
  pair.places.template set<T>(pass);
  for (uint32_t b = begin; b < end; ++b) {
    pair.psi.vector = blocks.base();
    pair.places.base = uint64_t(pair.psi.vector) * sizeof(Amp<T>);
    pair.psi.table = table + (size_t(blocks.variant()) << local_bits);
    blocks.next();
    if (psi.spills()) {
      pair.places.template fetch<T>(psi.data, blocks.base());
      pair.places.template fetch<T>(lambda.data, blocks.base());
    }
    if (!undo)
      block_backward<T, false, false>(pair, pass, gates, overlaps);
    else if (gates.steep)
      block_backward<T, true, true>(pair, pass, gates, overlaps);
    else
      block_backward<T, true, false>(pair, pass, gates, overlaps);
  }
  if (undo && !gates.steep) {
    // Both states had grown by the cosines that the undoing of earlier qubits left out.
    V scale = V{} + 1;
    auto shrink = [&](Bloch<T>& b, V cosine) {
      b.x *= scale;
      b.y *= scale;
      scale *= cosine * cosine;
    };
    for (size_t k = 0; k < pass.chains.size(); ++k) shrink(overlaps.across[k], gates.cosine[k]);
    for (size_t k = 0; k < pass.lane_chains.size(); ++k) shrink(overlaps.in_lanes[k], gates.lane_cosine[k]);
  }
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
