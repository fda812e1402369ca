// Rotations about Pauli strings, dense unitaries, phases and moves: passes over a whole state, in any frame.
#pragma once

#include "state.h"
#include "values.h"

namespace qjax {

// term(begin) + ... + term(begin + count - 1), by halves: one long sum over a large state would lose digits.
template <class V, class Term>
V sum_by_halves(uint32_t begin, uint32_t count, const Term& term) {
  constexpr uint32_t kTogether = 128;
  if (count > kTogether)
    return sum_by_halves<V>(begin, count / 2, term) + sum_by_halves<V>(begin + count / 2, count - count / 2, term);
  V sum{};
  for (uint32_t k = begin; k < begin + count; ++k) sum += term(k);
  return sum;
}

// psi <- a psi + b (-1)^(...) psi(. ^ flip) for flips within the vector; the sign is the string's.
template <class T>
void lane_rotation(const State<T>& state, const Pauli& pauli, const Amp<T>& a, const Amp<T>& b) {
  using V = typename Lanes<T>::V;
  const auto signs = lane_signs<T>(pauli.row & state.lane_mask());
  const V sides[2] = {signs, -signs};
  for (uint32_t v = 0; v < state.num_vectors(); ++v) {
    const V side = sides[parity((v << state.lane_bits) & pauli.row) ^ pauli.one];
    const Amp<T> here = state.data[v];
    const Amp<T> there{exchange<T>(here.re, pauli.flip) * side, exchange<T>(here.im, pauli.flip) * side};
    state.data[v].re = a.re * here.re - a.im * here.im + b.re * there.re - b.im * there.im;
    state.data[v].im = a.re * here.im + a.im * here.re + b.re * there.im + b.im * there.re;
  }
}

// On pairs that the flip couples a string acts as X up to a sign (even power) or as Y (odd power).
template <class T, bool kExchange, bool kOdd>
void rotation_pass(const State<T>& state, const Pauli& pauli, const Cosets<1>& cosets,
                   typename Lanes<T>::V cosine, typename Lanes<T>::V sine) {
  using V = typename Lanes<T>::V;
  const V sines[2] = {sine, -sine};
  uint32_t base = cosets.first;
  for (uint32_t i = 0; i < cosets.count; base = cosets.after(base, i++)) {
    const V s = sines[parity(base & pauli.row) ^ pauli.one];
    const Amp<T> a = state.template load<kExchange>(base);
    const Amp<T> b = state.template load<kExchange>(base ^ pauli.flip);
    if constexpr (kOdd) {
      state.template store<kExchange>(base, {cosine * a.re - s * b.re, cosine * a.im - s * b.im});
      state.template store<kExchange>(base ^ pauli.flip, {cosine * b.re + s * a.re, cosine * b.im + s * a.im});
    } else {
      state.template store<kExchange>(base, {cosine * a.re + s * b.im, cosine * a.im - s * b.re});
      state.template store<kExchange>(base ^ pauli.flip, {cosine * b.re + s * a.im, cosine * b.im - s * a.re});
    }
  }
}

// psi <- (cosine - i sine P) psi.
template <class T>
void rotate(const State<T>& state, const Pauli& pauli, typename Lanes<T>::V cosine, typename Lanes<T>::V sine) {
  using V = typename Lanes<T>::V;
  const V none{};
  // -i (-i)^power is 1 or i up to a sign: powers 0 and 2 give -i and i, powers 1 and 3 give -1 and 1.
  const V signed_sine = pauli.power & 2 ? -sine : sine;
  if (pauli.flip >> state.lane_bits == 0) {
    const Amp<T> a{cosine, none};
    const Amp<T> b = pauli.power & 1 ? Amp<T>{-signed_sine, none} : Amp<T>{none, -signed_sine};
    if (pauli.flip) return lane_rotation<T>(state, pauli, a, b);
    const auto signs = lane_signs<T>(pauli.row & state.lane_mask()) * signed_sine;
    const V sines[2] = {signs, -signs};
    for (uint32_t v = 0; v < state.num_vectors(); ++v) {
      const V s = sines[parity((v << state.lane_bits) & pauli.row) ^ pauli.one];
      const Amp<T> here = state.data[v];
      state.data[v] = {cosine * here.re + s * here.im, cosine * here.im - s * here.re};
    }
    return;
  }
  const Axis axis{pauli.flip, 1u << (31 - __builtin_clz(pauli.flip)), 0};
  const Cosets<1> cosets(&axis, state.num_qubits, state.lane_bits);
  const V s = lane_signs<T>(pauli.row & state.lane_mask()) * signed_sine;
  if (cosets.exchanges_lanes)
    pauli.power & 1 ? rotation_pass<T, true, true>(state, pauli, cosets, cosine, s)
                    : rotation_pass<T, true, false>(state, pauli, cosets, cosine, s);
  else
    pauli.power & 1 ? rotation_pass<T, false, true>(state, pauli, cosets, cosine, s)
                    : rotation_pass<T, false, false>(state, pauli, cosets, cosine, s);
}

// Re <lambda|psi> for every lane.
template <class T>
typename Lanes<T>::V inner_product(const State<T>& psi, const State<T>& lambda) {
  return sum_by_halves<typename Lanes<T>::V>(0, psi.num_vectors(), [&](uint32_t v) {
    return lambda.data[v].re * psi.data[v].re + lambda.data[v].im * psi.data[v].im;
  });
}

// Im <lambda| P |psi> for every lane.
template <class T>
typename Lanes<T>::V overlap(const State<T>& psi, const State<T>& lambda, const Pauli& pauli) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  V sum{};
  auto pass = [&]<bool kExchange>() {
    sum = sum_by_halves<V>(0, psi.num_vectors(), [&](uint32_t v) -> V {
      const uint32_t address = v << psi.lane_bits;
      const V sign = signs[parity(address & pauli.row) ^ pauli.one];
      const Amp<T> p = psi.template load<kExchange>(address ^ pauli.flip);
      const Amp<T> l = lambda.data[v];
      return sign * (pauli.power & 1 ? -(l.re * p.re + l.im * p.im) : l.re * p.im - l.im * p.re);
    });
  };
  if (pauli.flip & psi.lane_mask())
    pass.template operator()<true>();
  else
    pass.template operator()<false>();
  sum *= lane_signs<T>(pauli.row & psi.lane_mask());
  return pauli.power & 2 ? -sum : sum;
}

// A dense matrix on some axes, from one buffer to another: row d of `terms` holds the entries that take the
// amplitude at a flip by d, so that any flips will do, within vectors or across.
template <class T>
void apply_dense(const State<T>& from, const State<T>& to, const Axis* axes, int size, const double* matrix,
                 bool inverse, Amp<T>* coefficients) {
  const int dim = 1 << size;
  uint32_t flips[16];
  for (int d = 0; d < dim; ++d) {
    flips[d] = 0;
    for (int k = 0; k < size; ++k)  // the first qubit is the most significant bit of the matrix index
      if (d >> (size - 1 - k) & 1) flips[d] ^= axes[k].flip;
  }
  for (int values = 0; values < dim; ++values)
    for (int d = 0; d < dim; ++d)
      for (int l = 0; l < Lanes<T>::kWidth; ++l) {
        int row = values;
        for (int k = 0; k < size; ++k)
          row ^= parity(l & from.lane_mask() & axes[k].row) << (size - 1 - k);
        const int column = row ^ d;
        const double* entry = matrix + 2 * (inverse ? column * dim + row : row * dim + column);
        coefficients[values * dim + d].re[l] = T(entry[0]);
        coefficients[values * dim + d].im[l] = T(inverse ? -entry[1] : entry[1]);
      }
  auto pass = [&]<bool kExchange>() {
    for (uint32_t v = 0; v < from.num_vectors(); ++v) {
      const uint32_t address = v << from.lane_bits;
      int values = 0;
      for (int k = 0; k < size; ++k)
        values |= (parity(address & axes[k].row) ^ axes[k].one) << (size - 1 - k);
      Amp<T> sum{};
      for (int d = 0; d < dim; ++d) {
        const Amp<T> c = coefficients[values * dim + d];
        const Amp<T> a = from.template load<kExchange>(address ^ flips[d]);
        sum.re += c.re * a.re - c.im * a.im;
        sum.im += c.re * a.im + c.im * a.re;
      }
      to.data[v] = sum;
    }
  };
  uint32_t seen = 0;
  for (int d = 0; d < dim; ++d) seen |= flips[d];
  if (seen & from.lane_mask())
    pass.template operator()<true>();
  else
    pass.template operator()<false>();
}

// Multiplies by some strings, or divides by their phases.
template <class T>
void apply_phases(const State<T>& state, const std::vector<String>& strings, const Values<T>& values, bool inverse) {
  constexpr size_t kTogether = 8;
  for (size_t start = 0; start < strings.size(); start += kTogether) {
    Amp<T> sides[kTogether][2];
    uint32_t rows[kTogether];
    size_t count = 0;
    for (size_t k = start; k < std::min(start + kTogether, strings.size()); ++k) {
      if (inverse && strings[k].source == String::kStart) continue;  // the state that it made is not undone
      const auto f = values.factors(strings[k]);
      rows[count] = strings[k].row & ~state.lane_mask();
      sides[count][0] = inverse ? conj(f.even) : f.even;
      sides[count++][1] = inverse ? conj(f.odd) : f.odd;
    }
    if (count == 0) continue;
    for (uint32_t v = 0; v < state.num_vectors(); ++v) {
      Amp<T> a = state.data[v];
      for (size_t k = 0; k < count; ++k) a = a * sides[k][parity((v << state.lane_bits) & rows[k])];
      state.data[v] = a;
    }
  }
}

// Flips an axis across vectors where a bit of the lane is one.
template <class T>
void move_across(const State<T>& state, uint32_t flip, int control) {
  using V = typename Lanes<T>::V;
  const V signs = lane_signs<T>(1u << control);
  const auto stays = signs > 0;
  flip >>= state.lane_bits;
  const uint32_t pivot = 1u << (31 - __builtin_clz(flip));
  for (uint32_t v = 0; v < state.num_vectors(); ++v) {
    if (v & pivot) continue;
    Amp<T>&a = state.data[v], &b = state.data[v ^ flip];
    const Amp<T> p = a, q = b;
    a = {stays ? p.re : q.re, stays ? p.im : q.im};
    b = {stays ? q.re : p.re, stays ? q.im : p.im};
  }
}

}  // namespace qjax
