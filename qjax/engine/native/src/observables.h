// Expectation values of Pauli sums, and the vector that the adjoint method starts from.
#pragma once

#include "kernels.h"
#include "plan.h"

namespace qjax {

// values[observable] = <psi| O |psi> for every lane; `sums` has room for all terms.
template <class T>
void expectations(const State<T>& psi, const Schedule& schedule, const Plan& plan, typename Lanes<T>::V* sums,
                  typename Lanes<T>::V* values) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  for (int o = 0; o < plan.num_observables; ++o) values[o] = V{};
  // Terms with the same flips share one pass.
  for (size_t start = 0, end; start < plan.terms.size(); start = end) {
    for (end = start; end < plan.terms.size() && plan.terms[end].x == plan.terms[start].x; ++end) sums[end] = V{};
    const uint32_t flip = schedule.terms[start].flip;
    auto pass = [&]<bool kExchange>() {
      for (size_t t = start; t < end; ++t) {
        const Pauli pauli = schedule.terms[t];
        V sum{};
        for (uint32_t v = 0; v < psi.num_vectors(); ++v) {
          const uint32_t address = v << psi.lane_bits;
          const V sign = signs[parity(address & pauli.row)];
          const Amp<T> a = psi.data[v];
          const Amp<T> b = psi.template load<kExchange>(address ^ flip);
          sum += sign * (pauli.power & 1 ? a.re * b.im - a.im * b.re : a.re * b.re + a.im * b.im);
        }
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
  for (int o = 0; o < plan.num_observables; ++o)  // the lanes of one circuit hold parts of its sum
    for (int bit = 0; bit < psi.lane_bits; ++bit) values[o] += exchange<T>(values[o], 1u << bit);
}

// lambda = sum_o cotangents[o] O psi.
template <class T>
void apply_observables(const State<T>& psi, const State<T>& lambda, const Schedule& schedule, const Plan& plan,
                       const typename Lanes<T>::V* cotangents, Amp<T>* weights) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  for (uint32_t v = 0; v < psi.num_vectors(); ++v) lambda.data[v] = Amp<T>{};
  for (size_t start = 0, end; start < plan.terms.size(); start = end) {
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
