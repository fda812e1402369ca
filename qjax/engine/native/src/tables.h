// The numbers of a block pass: what its gates multiply by, and its phases as a table over a block.
#pragma once

#include "values.h"

namespace qjax {

// What the gates of a pass multiply by: tangent alone, or sine and cosine where one of them is steep.
template <class T>
struct Gates {
  using V = typename Lanes<T>::V;
  bool steep;
  V sine[kMaxLocalBits], cosine[kMaxLocalBits];  // the sine is the tangent where nothing is steep
  V lane_sine[4], lane_cosine[4];                // negative sine on lanes where the qubit reads zero
  V scale;

  void set(const Pass& pass, const Values<T>& values, bool inverse) {
    steep = false;
    for (int32_t chain : pass.chains) steep |= values.is_steep(chain);
    for (int32_t chain : pass.lane_chains) steep |= values.is_steep(chain);
    scale = V{} + 1;
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

// table[variant][x] = scale * the product of the pass's strings at local index x; backward without those that
// make the state. `room` holds as much as a table.
template <class T>
void build_table(const Pass& pass, const Values<T>& values, typename Lanes<T>::V scale, bool backward, Amp<T>* table,
                 Amp<T>* room) {
  using V = typename Lanes<T>::V;
  using Factors = typename Values<T>::Factors;
  const size_t size = pass.table_size();
  if (pass.bases.empty()) std::fill_n(table, size, Amp<T>{scale, V{}});
  for (const Basis& basis : pass.bases) {
    const bool is_first = &basis == &pass.bases.front();
    room[0] = {is_first ? scale : V{} + 1, V{}};
    for (size_t bit = 0; bit < basis.masks.size(); ++bit) {
      const size_t half = size_t(1) << bit;
      Factors both{};
      bool any = false;
      for (int32_t k : basis.strings[bit]) {
        const String& s = pass.strings[k];
        if (backward && s.source == String::kStart) continue;
        const Factors f = values.factors(s);
        both = any ? Factors{both.even * f.even, both.odd * f.odd, both.even_is_one && f.even_is_one} : f;
        any = true;
      }
      for (size_t x = 0; x < half; ++x) {
        room[x + half] = any ? room[x] * both.odd : room[x];
        if (any && !both.even_is_one) room[x] = room[x] * both.even;
      }
    }
    for (size_t x = 0; x < size; ++x) {
      const Amp<T>& product = room[basis.places[x]];
      table[x] = is_first ? product : table[x] * product;
    }
  }
}

}  // namespace qjax
