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

// products[x] = the product of a basis's strings where the bits of x are their parities.
template <class T>
void multiply_out(const Pass& pass, const Basis& basis, const Values<T>& values, bool backward, Amp<T>* products) {
  using Factors = typename Values<T>::Factors;
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
    if (!any) {
      std::copy_n(products, half, products + half);
    } else if (both.even_is_one) {
      for (size_t x = 0; x < half; ++x) products[x + half] = products[x] * both.odd;
    } else {
      for (size_t x = 0; x < half; ++x) {
        const Amp<T> before = products[x];
        products[x] = before * both.even;
        products[x + half] = before * both.odd;
      }
    }
  }
}

// table[variant][x] = scale * the product of the pass's strings at local index x; backward without those that
// make the state. `room` holds as much as the table.
template <class T>
void build_table(const Pass& pass, const Values<T>& values, typename Lanes<T>::V scale, bool backward, Amp<T>* table,
                 Amp<T>* room) {
  using V = typename Lanes<T>::V;
  table[0] = {scale, V{}};
  for (int32_t k : pass.everywhere)
    if (!(backward && pass.strings[k].source == String::kStart))
      table[0] = table[0] * values.factors(pass.strings[k]).even;
  multiply_out(pass, pass.bases[0], values, backward, table);
  for (size_t b = 1; b < pass.bases.size(); ++b) {
    room[0] = {V{} + 1, V{}};
    multiply_out(pass, pass.bases[b], values, backward, room);
    for (size_t x = 0; x < pass.table_size(); ++x) table[x] = table[x] * room[pass.bases[b].places[x]];
  }
}

}  // namespace qjax
