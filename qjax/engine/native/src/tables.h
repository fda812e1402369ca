// The numbers of a block pass: what its gates multiply by, and its phases as a table over a block.
#pragma once

#include <bit>

#include "values.h"

namespace qjax {

// What the gates of a pass multiply by: tangent alone, or sine and cosine where the cosines are too small (steep).
template <class T>
struct Gates {
  using V = typename Lanes<T>::V;
  bool steep;
  bool alike;  // whether the phases are the same on all lanes
  V sine[kMaxLocalBits], cosine[kMaxLocalBits];  // the sine is the tangent where the pass is not steep
  V lane_sine[4], lane_cosine[4];                // negative sine on lanes where the qubit reads zero
  V scale;

  void set(const Pass& pass, const Values<T>& values, bool inverse) {
    // Overlaps grow by the squares of the cosines that are left out, and single precision must still hold them.
    constexpr T kLeast = T(1) / (1 << 20);
    alike = values.are_alike(pass);
    scale = V{} + 1;
    for (const auto* chains : {&pass.chains, &pass.lane_chains})
      for (int32_t chain : *chains) scale *= values.cosine(chain);
    steep = false;
    for (int l = 0; l < Lanes<T>::kWidth; ++l) steep |= scale[l] < kLeast;
    if (steep) scale = V{} + 1;
    auto gate = [&](int32_t chain, V& s, V& c) {
      s = steep ? values.sine(chain) : values.tangent(chain);
      c = values.cosine(chain);
      if (inverse) s = -s;
    };
    for (size_t k = 0; k < pass.chains.size(); ++k) gate(pass.chains[k], sine[k], cosine[k]);
    for (size_t k = 0; k < pass.lane_chains.size(); ++k) {
      gate(pass.lane_chains[k], lane_sine[k], lane_cosine[k]);
      lane_sine[k] *= -lane_signs<T>(1u << pass.lane_bits[k]);
    }
  }
};

// A table has an entry for every number x of a vector in a block, and for every variant. Where the phases are the
// same on all lanes (`alike`) an entry is one number: neighbouring ones lie in the lanes of a vector, and all
// imaginary parts behind all real ones.
template <class T>
inline constexpr int kLaneBits = std::countr_zero(unsigned(Lanes<T>::kWidth));

template <class T>
size_t table_vectors(const Pass& pass, bool alike) {
  return alike ? std::max<size_t>(1, pass.table_size() >> kLaneBits<T>) : pass.table_size();
}

// What a group of strings multiplies by where the parity over its mask is even, and where it is odd.
template <class T>
ParityFactors<T> group_factors(const Pass& pass, const Group& group, const Values<T>& values, bool backward) {
  using V = typename Lanes<T>::V;
  const Amp<T> one{V{} + 1, V{}};
  ParityFactors<T> out{one, one};
  for (int32_t k : group.strings) {
    const String& s = pass.strings[k];
    if (backward && s.source == String::kStart) continue;
    const auto f = values.factors(s);
    out.odd = out.odd * f.odd;
    if (!group.even_is_one) out.even = out.even * f.even;
  }
  return out;
}

// table[x] = scale * the product of the pass's strings at x; backward without those that make the state. It
// doubles with every bit: x and x with the bit differ in the strings that have it.
template <class T>
void build_table(const Pass& pass, const Values<T>& values, typename Lanes<T>::V scale, bool backward, Amp<T>* table) {
  using V = typename Lanes<T>::V;
  const bool alike = values.are_alike(pass);
  const int lane_bits = alike ? kLaneBits<T> : 0;
  const uint32_t lane_mask = (1u << lane_bits) - 1;
  const size_t size = table_vectors<T>(pass, alike), stride = alike ? 1 : 2;
  V* const re = reinterpret_cast<V*>(table);
  V* const im = re + (alike ? size : 1);
  auto get = [=](size_t x) { return Amp<T>{re[x * stride], im[x * stride]}; };
  auto set = [=](size_t x, const Amp<T>& amp) { re[x * stride] = amp.re, im[x * stride] = amp.im; };
  size_t made = 1;
  auto grow = [&](size_t to) {
    for (; made < to; made *= 2)
      for (size_t x = 0; x < made; ++x) set(x + made, get(x));
  };
  set(0, {scale, V{}});
  for (const Group& group : pass.groups) {
    const auto factors = in_lane_order<T>(group_factors(pass, group, values, backward), group.mask & lane_mask);
    const auto& [even, odd] = factors;
    const bool even_is_one = group.even_is_one && (group.mask & lane_mask) == 0;
    const uint32_t mask = group.mask >> lane_bits;
    if (mask == 0) {
      set(0, get(0) * even);
      continue;
    }
    const uint32_t bit = 1u << (31 - __builtin_clz(mask));
    grow(bit);
    const bool doubles = made == bit;
    for (uint32_t x = 0; x < bit; ++x) {
      const uint32_t here = parity(x & mask) ? x | bit : x;  // where the strings are even
      const Amp<T> a = get(doubles ? x : here), b = get(doubles ? x : here ^ bit);
      if (doubles || !even_is_one) set(here, even_is_one ? a : a * even);
      set(here ^ bit, b * odd);
    }
    made = 2 * size_t(bit);
  }
  grow(size);
}

}  // namespace qjax
