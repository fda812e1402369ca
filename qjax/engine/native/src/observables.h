// Expectation values of Pauli sums, and the vector that the adjoint method starts from.
#pragma once

#include "kernels.h"
#include "plan.h"

namespace qjax {

// How many terms are Z strings: they come first, as terms are sorted by their flips.
inline size_t num_diagonal(const Plan& plan) {
  size_t count = 0;
  while (count < plan.terms.size() && plan.terms[count].x == 0) ++count;
  return count;
}

// Whether so many Z strings are read from one transform rather than with a pass each.
template <class T>
bool transforms(const State<T>& state, size_t num_strings) {
  return num_strings > 4 + size_t(state.num_qubits) / 2;
}

// Walsh-Hadamard transform of the real parts: sum_y (-1)^(row . y) re(y) at every row.
template <class T>
void transform(const State<T>& state) {
  Amp<T>* data = state.data;
  const uint32_t count = state.num_vectors();
  for (int bit = 0; bit < state.lane_bits; ++bit) {
    const auto signs = lane_signs<T>(1u << bit);
    for (uint32_t v = 0; v < count; ++v) data[v].re = signs * data[v].re + exchange<T>(data[v].re, 1u << bit);
  }
  for (uint32_t half = 1; half < count; half *= 2)
    for (uint32_t high = 0; high < count; high += 2 * half)
      for (uint32_t v = high; v < high + half; ++v) {
        const auto a = data[v].re, b = data[v + half].re;
        data[v].re = a + b;
        data[v + half].re = a - b;
      }
}

// The lanes of one circuit hold parts of its sums.
template <class T>
void add_lanes(const Plan& plan, int lane_bits, typename Lanes<T>::V* values) {
  for (int o = 0; o < plan.num_observables; ++o)
    for (int bit = 0; bit < lane_bits; ++bit) values[o] += exchange<T>(values[o], 1u << bit);
}

// values[observable] = <psi| O |psi> for every lane; `sums` has room for all terms. The state is used up.
template <class T>
void expectations(const State<T>& psi, const Schedule& schedule, const Plan& plan, typename Lanes<T>::V* sums,
                  typename Lanes<T>::V* values) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  for (int o = 0; o < plan.num_observables; ++o) values[o] = V{};
  const size_t diagonal = num_diagonal(plan);
  const bool by_transform = transforms(psi, diagonal);
  for (size_t start = by_transform ? diagonal : 0, end; start < plan.terms.size(); start = end) {
    for (end = start; end < plan.terms.size() && plan.terms[end].x == plan.terms[start].x; ++end) sums[end] = V{};
    const uint32_t flip = schedule.terms[start].flip;
    auto pass = [&]<bool kExchange>() {
      for (size_t t = start; t < end; ++t) {
        const Pauli pauli = schedule.terms[t];
        const V sum = sum_by_halves<V>(0, psi.num_vectors(), [&](uint32_t v) -> V {
          const uint32_t address = v << psi.lane_bits;
          const V sign = signs[parity(address & pauli.row)];
          const Amp<T> a = psi.data[v];
          const Amp<T> b = psi.template load<kExchange>(address ^ flip);
          return sign * (pauli.power & 1 ? a.re * b.im - a.im * b.re : a.re * b.re + a.im * b.im);
        });
        sums[t] = sum * lane_signs<T>(pauli.row & psi.lane_mask());
        if ((pauli.power >> 1) ^ pauli.one) sums[t] = -sums[t];
      }
    };
    if (flip & psi.lane_mask())
      pass.template operator()<true>();
    else
      pass.template operator()<false>();
    for (size_t t = start; t < end; ++t)
      values[plan.terms[t].observable] += sums[t] * T(plan.terms[t].coefficient);
  }
  if (by_transform) {
    for (uint32_t v = 0; v < psi.num_vectors(); ++v)
      psi.data[v].re = psi.data[v].re * psi.data[v].re + psi.data[v].im * psi.data[v].im;
    transform(psi);
    typename Lanes<T>::I first;  // the lane on which each circuit begins
    for (int l = 0; l < Lanes<T>::kWidth; ++l) first[l] = l & ~int(psi.lane_mask());
    for (size_t t = 0; t < diagonal; ++t) {
      const Pauli& pauli = schedule.terms[t];
      // On every lane of a circuit, as its lanes are added below.
      V value = permute<T>(psi.data[pauli.row >> psi.lane_bits].re, first ^ int(pauli.row & psi.lane_mask()));
      value *= T(pauli.one ? -plan.terms[t].coefficient : plan.terms[t].coefficient);
      values[plan.terms[t].observable] += value * T(1.0 / (1 << psi.lane_bits));
    }
  }
  add_lanes<T>(plan, psi.lane_bits, values);
}

// The same from sums over the blocks of the last pass, one for each of its local indices.
template <class T>
void measured_expectations(const Schedule& schedule, const Plan& plan, const typename Lanes<T>::V* sums,
                           typename Lanes<T>::V* values) {
  using V = typename Lanes<T>::V;
  const uint32_t size = 1u << schedule.passes.back().local_bits();
  for (int o = 0; o < plan.num_observables; ++o) values[o] = V{};
  for (size_t t = 0; t < plan.terms.size(); ++t) {
    const auto& term = schedule.measurement.terms[t];
    V sum{};
    for (uint32_t x = 0; x < size; ++x) sum += parity(x & term.local) ^ term.one ? -sums[x] : sums[x];
    values[plan.terms[t].observable] += sum * lane_signs<T>(term.row) * T(plan.terms[t].coefficient);
  }
  add_lanes<T>(plan, schedule.lane_bits, values);
}

// weights[x] = what lambda = sum_o cotangents[o] O psi takes of psi at local indices of the last pass, up to the
// sign of a block.
template <class T>
void measured_weights(const Schedule& schedule, const Plan& plan, const typename Lanes<T>::V* cotangents,
                      typename Lanes<T>::V* weights) {
  using V = typename Lanes<T>::V;
  const uint32_t size = 1u << schedule.passes.back().local_bits();
  for (uint32_t x = 0; x < size; ++x) weights[x] = V{};
  for (size_t t = 0; t < plan.terms.size(); ++t) {
    const auto& term = schedule.measurement.terms[t];
    const V weight = cotangents[plan.terms[t].observable] * lane_signs<T>(term.row) * T(plan.terms[t].coefficient);
    for (uint32_t x = 0; x < size; ++x) weights[x] += parity(x & term.local) ^ term.one ? -weight : weight;
  }
}

// lambda = sum_o cotangents[o] O psi.
template <class T>
void apply_observables(const State<T>& psi, const State<T>& lambda, const Schedule& schedule, const Plan& plan,
                       const typename Lanes<T>::V* cotangents, Amp<T>* weights) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  for (uint32_t v = 0; v < psi.num_vectors(); ++v) lambda.data[v] = Amp<T>{};
  const size_t diagonal = num_diagonal(plan);
  const bool by_transform = transforms(psi, diagonal);
  if (by_transform) {
    for (size_t t = 0; t < diagonal; ++t) {
      const Pauli& pauli = schedule.terms[t];
      const T factor = T(pauli.one ? -plan.terms[t].coefficient : plan.terms[t].coefficient);
      V& sum = lambda.data[pauli.row >> psi.lane_bits].re;
      for (int l = 0; l < Lanes<T>::kWidth; ++l)
        if ((l & psi.lane_mask()) == (pauli.row & psi.lane_mask()))
          sum[l] += factor * cotangents[plan.terms[t].observable][l];
    }
    transform(lambda);
    for (uint32_t v = 0; v < psi.num_vectors(); ++v) {
      const V weight = lambda.data[v].re;
      lambda.data[v] = {weight * psi.data[v].re, weight * psi.data[v].im};
    }
  }
  for (size_t start = by_transform ? diagonal : 0, end; start < plan.terms.size(); start = end) {
    for (end = start; end < plan.terms.size() && plan.terms[end].x == plan.terms[start].x; ++end) {
      const Term& term = plan.terms[end];
      const Pauli pauli = schedule.terms[end];
      V weight = cotangents[term.observable] * T(term.coefficient) * lane_signs<T>(pauli.row & psi.lane_mask());
      // (-i)^power: 1, -i, -1, i
      if ((pauli.power == 1 || pauli.power == 2) != (pauli.one == 1)) weight = -weight;
      weights[end] = pauli.power & 1 ? Amp<T>{V{}, weight} : Amp<T>{weight, V{}};
    }
    const uint32_t flip = schedule.terms[start].flip;
    auto pass = [&]<bool kExchange>() {
      for (size_t t = start; t < end; ++t) {
        const uint32_t row = schedule.terms[t].row;
        const Amp<T> w = weights[t];
        for (uint32_t v = 0; v < psi.num_vectors(); ++v) {
          const uint32_t address = v << psi.lane_bits;
          const V sign = signs[parity(address & row)];
          const Amp<T> a = psi.template load<kExchange>(address ^ flip);
          lambda.data[v].re += sign * (w.re * a.re - w.im * a.im);
          lambda.data[v].im += sign * (w.re * a.im + w.im * a.re);
        }
      }
    };
    if (flip & psi.lane_mask())
      pass.template operator()<true>();
    else
      pass.template operator()<false>();
  }
}

}  // namespace qjax
