// The first layer: the product state that it leaves, and gradients through it.
//
// The state is real and a product, psi(x) = prod_q c_q(x_q), as the layer's last diagonals wait. Gradients need
// lambda summed over all qubits but one with the others' factors. One reading sums it over the upper bits of an
// address, which leaves few numbers for the lower ones, and over the lower bits, which leaves a smaller problem
// of the same kind.
#pragma once

#include "adjoint.h"

namespace qjax {

template <class T>
class Prologue {
  using V = typename Lanes<T>::V;

 public:
  Prologue(const Schedule& schedule, const Values<T>& values) : schedule_(schedule), values_(values) {}

  // Writes the product state.
  void build(const State<T>& psi) const {
    psi.data[0] = {lanes(), V{}};
    for (int bit = 0; bit < vector_bits(); ++bit) {
      const Column c = column(bit);
      const uint32_t half = 1u << bit, flip = this->flip(bit);
      for (uint32_t v = 0; v < half; ++v) {
        psi.data[v ^ flip] = {psi.data[v].re * c.one, V{}};
        psi.data[v].re *= c.zero;
      }
    }
  }

  // Overlaps of lambda with the Pauli matrices on the product state: found(qubit, overlaps). Both states are used
  // up. `in_parts(count, work)` may share work(begin, end, part) and returns how many parts there were.
  template <class InParts, class Found>
  void overlaps(const State<T>& lambda, const State<T>& spare, InParts&& in_parts, Found&& found) const {
    const V in_lanes = lanes();
    Amp<T>* from = lambda.data;
    Amp<T>* to = spare.data;
    for (int begin = 0; begin < vector_bits(); begin += kLower) {
      const int lower = std::min(kLower, vector_bits() - begin), upper = vector_bits() - begin - lower;
      reduce(from, to, begin, lower, upper, in_parts, [&](const Amp<T>* sums) {
        for (int bit = 0; bit < lower; ++bit)
          found(qubit(begin + bit), overlap(sums, begin, lower, bit, in_lanes));
      });
      std::swap(from, to);
    }
    of_lanes(*from, found);
  }

 private:
  static constexpr int kLower = 5;
  struct Column {
    V zero, one;
  };

  int vector_bits() const { return schedule_.num_qubits - schedule_.lane_bits; }
  int qubit(int bit) const { return schedule_.num_qubits - 1 - schedule_.lane_bits - bit; }
  uint32_t flip(int bit) const { return schedule_.start.axes[qubit(bit)].flip >> schedule_.lane_bits; }
  Column of_qubit(int qubit) const {
    const int32_t chain = schedule_.prologue[qubit];
    if (chain < 0) return {V{} + 1, V{}};
    return {values_.cosine(chain), values_.sine(chain)};
  }
  Column column(int bit) const { return of_qubit(qubit(bit)); }

  // The factors of the qubits within the lane, but one.
  V lanes(int without = -1) const {
    V out = V{} + 1;
    for (int bit = 0; bit < schedule_.lane_bits; ++bit) {
      if (bit == without) continue;
      const Column c = of_qubit(schedule_.num_qubits - 1 - bit);
      out *= lane_signs<T>(1u << bit) > 0 ? c.zero : c.one;
    }
    return out;
  }

  // Products of the factors of `count` bits from `begin` on.
  void products(int begin, int count, V* out) const {
    out[0] = V{} + 1;
    for (int bit = 0; bit < count; ++bit) {
      const Column c = column(begin + bit);
      for (uint32_t x = 0; x < 1u << bit; ++x) {
        out[x + (1u << bit)] = out[x] * c.one;
        out[x] *= c.zero;
      }
    }
  }

  // Where a bit leads, counted from `begin`: only in the state itself do upper bits toggle lower ones.
  uint32_t place(int begin, int bit) const { return begin ? 1u << bit : flip(bit); }

  // to[u] = lambda summed over the lower bits, for every value of the upper ones; with_sums gets lambda summed over
  // the upper ones.
  template <class InParts, class WithSums>
  void reduce(const Amp<T>* from, Amp<T>* to, int begin, int lower, int upper, InParts& in_parts,
              WithSums&& with_sums) const {
    constexpr uint32_t kSize = 1u << kLower;
    V factors[kSize], middle_factors[kSize];
    products(begin, lower, factors);
    uint32_t places[kSize] = {}, middle_places[kSize] = {};
    const int middle = std::min(kLower, upper);
    products(begin + lower, middle, middle_factors);
    for (uint32_t x = 1; x < kSize; ++x) {
      const int bit = __builtin_ctz(x);
      if (bit < lower) places[x] = places[x & (x - 1)] ^ place(begin, bit);
      if (bit < middle) middle_places[x] = middle_places[x & (x - 1)] ^ place(begin, lower + bit);
    }
    Amp<T> parts[Team::kParts][kSize];
    const uint32_t used = in_parts(1u << upper, [&](uint32_t first, uint32_t end, uint32_t part) {
      Amp<T>* sums = parts[part];
      std::fill_n(sums, 1u << lower, Amp<T>{});
      uint32_t high_base = 0;
      V high_factor{};
      for (uint32_t u = first; u < end; ++u) {
        if (u == first || u % kSize == 0) {
          high_base = 0;
          high_factor = V{} + 1;
          for (int bit = kLower; bit < upper; ++bit) {
            const bool one = u >> bit & 1;
            const Column c = column(begin + lower + bit);
            high_factor *= one ? c.one : c.zero;
            if (one) high_base ^= place(begin, lower + bit);
          }
        }
        const uint32_t base = high_base ^ middle_places[u % kSize];
        const V factor = high_factor * middle_factors[u % kSize];
        Amp<T> sum{};
        for (uint32_t x = 0; x < 1u << lower; ++x) {
          const Amp<T> l = kept(from[base ^ places[x]]);
          sum.re += factors[x] * l.re;
          sum.im += factors[x] * l.im;
          sums[x].re += factor * l.re;
          sums[x].im += factor * l.im;
        }
        to[u] = sum;
      }
    });
    for (uint32_t part = 1; part < used; ++part)
      for (uint32_t x = 0; x < 1u << lower; ++x)
        parts[0][x] = {parts[0][x].re + parts[part][x].re, parts[0][x].im + parts[part][x].im};
    with_sums(parts[0]);
  }

  // From lambda summed over all bits outside of [begin, begin + count).
  Bloch<T> overlap(const Amp<T>* sums, int begin, int count, int bit, V in_lanes) const {
    Amp<T> left[1 << kLower];
    std::copy_n(sums, 1u << count, left);
    for (int other = count - 1; other >= 0; --other) {
      if (other == bit) continue;
      const Column c = column(begin + other);
      // What is summed over already lies at zero; the bit itself stays, also above.
      for (uint32_t kept_bit : {0u, other < bit ? 1u << bit : 0u}) {
        for (uint32_t x = kept_bit; x < kept_bit + (1u << other); ++x) {
          const Amp<T>&zero = left[x], &one = left[x | 1u << other];
          left[x] = {c.zero * zero.re + c.one * one.re, c.zero * zero.im + c.one * one.im};
        }
        if (other > bit) break;
      }
    }
    return of_pair(left[0], left[1u << bit], column(begin + bit), in_lanes);
  }

  static Bloch<T> of_pair(const Amp<T>& zero, const Amp<T>& one, const Column& c, V rest) {
    return {-(zero.im * c.one + one.im * c.zero) * rest, (one.re * c.zero - zero.re * c.one) * rest,
            (one.im * c.one - zero.im * c.zero) * rest};
  }

  template <class Found>
  void of_lanes(const Amp<T>& sum, Found& found) const {
    for (int bit = 0; bit < schedule_.lane_bits; ++bit) {
      const int q = schedule_.num_qubits - 1 - bit;
      const Column c = of_qubit(q);
      const V signs = lane_signs<T>(1u << bit), rest = lanes(bit);
      const V here = signs > 0 ? c.zero : c.one, there = signs > 0 ? c.one : c.zero;
      found(q, Bloch<T>{-sum.im * there * rest, -signs * sum.re * there * rest, -signs * sum.im * here * rest});
    }
  }

  const Schedule& schedule_;
  const Values<T>& values_;
};

}  // namespace qjax
