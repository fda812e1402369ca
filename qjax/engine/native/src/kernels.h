// Passes over states: one-qubit gates in groups, Pauli rotations, dense unitaries, and overlaps for gradients.
#pragma once

#include "frame.h"
#include "vec.h"

namespace qjax {

// A 2x2 matrix for every lane, row-major.
template <class T>
struct Matrix {
  typename Lanes<T>::V re[4], im[4];
  bool real;
};

// What a state is: its amplitudes and how an address is split into vector and lane.
template <class T>
struct State {
  Amp<T>* data;
  int num_qubits, lane_bits;
  uint32_t lane_mask() const { return (1u << lane_bits) - 1; }
  uint32_t num_vectors() const { return 1u << (num_qubits - lane_bits); }

  template <bool kExchange>
  Amp<T> load(uint32_t address) const {
    Amp<T> amp = data[address >> lane_bits];
    if constexpr (kExchange) {
      const uint32_t lanes = address & lane_mask();
      amp.re = exchange<T>(amp.re, lanes);
      amp.im = exchange<T>(amp.im, lanes);
    }
    return amp;
  }
  template <bool kExchange>
  void store(uint32_t address, Amp<T> amp) const {
    if constexpr (kExchange) {
      const uint32_t lanes = address & lane_mask();
      amp.re = exchange<T>(amp.re, lanes);
      amp.im = exchange<T>(amp.im, lanes);
    }
    data[address >> lane_bits] = amp;
  }
};

// Lanes on which the axis reads one when lane 0 reads zero have both sides of the matrix exchanged.
template <class T>
inline Matrix<T> on_lanes(Matrix<T> matrix, uint32_t lane_row) {
  if (lane_row == 0) return matrix;
  Matrix<T> out = matrix;
  for (int l = 0; l < Lanes<T>::kWidth; ++l)
    if (parity(l & lane_row))
      for (int k = 0; k < 4; ++k) {
        out.re[k][l] = matrix.re[3 - k][l];
        out.im[k][l] = matrix.im[3 - k][l];
      }
  return out;
}

template <class T, bool kReal>
inline void multiply_pair(const Matrix<T>& u, Amp<T>& a, Amp<T>& b) {
  const Amp<T> p = a, q = b;
  if constexpr (kReal) {
    a.re = u.re[0] * p.re + u.re[1] * q.re;
    a.im = u.re[0] * p.im + u.re[1] * q.im;
    b.re = u.re[2] * p.re + u.re[3] * q.re;
    b.im = u.re[2] * p.im + u.re[3] * q.im;
  } else {
    a.re = u.re[0] * p.re - u.im[0] * p.im + u.re[1] * q.re - u.im[1] * q.im;
    a.im = u.re[0] * p.im + u.im[0] * p.re + u.re[1] * q.im + u.im[1] * q.re;
    b.re = u.re[2] * p.re - u.im[2] * p.im + u.re[3] * q.re - u.im[3] * q.im;
    b.im = u.re[2] * p.im + u.im[2] * p.re + u.re[3] * q.im + u.im[3] * q.re;
  }
}

template <class T, int K, bool kExchange, bool kReal>
void group_pass(const State<T>& state, const Cosets<K>& cosets, const Matrix<T>* u) {
  uint32_t base = cosets.first;
  for (uint32_t i = 0; i < cosets.count; base = cosets.after(base, i++)) {
    Amp<T> a[1 << K];
#pragma GCC unroll 8
    for (int g = 0; g < 1 << K; ++g) a[g] = state.template load<kExchange>(base ^ cosets.offsets[g]);
#pragma GCC unroll 3
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 8
      for (int g = 0; g < 1 << K; ++g)
        if (!(g >> k & 1)) multiply_pair<T, kReal>(u[k], a[g], a[g | 1 << k]);
#pragma GCC unroll 8
    for (int g = 0; g < 1 << K; ++g) state.template store<kExchange>(base ^ cosets.offsets[g], a[g]);
  }
}

// Applies one-qubit matrices on K axes whose vector flips are independent.
template <class T, int K>
void apply_group(const State<T>& state, const Axis* axes, const Matrix<T>* matrices) {
  const Cosets<K> cosets(axes, state.num_qubits, state.lane_bits);
  Matrix<T> u[K];
  bool real = true;
  for (int k = 0; k < K; ++k) {
    u[k] = on_lanes<T>(matrices[k], axes[k].row & state.lane_mask());
    real &= matrices[k].real;
  }
  if (cosets.exchanges_lanes)
    real ? group_pass<T, K, true, true>(state, cosets, u) : group_pass<T, K, true, false>(state, cosets, u);
  else
    real ? group_pass<T, K, false, true>(state, cosets, u) : group_pass<T, K, false, false>(state, cosets, u);
}

// Im <lambda| sigma |psi> for the three Pauli matrices of an axis.
template <class T>
struct Bloch {
  typename Lanes<T>::V x, y, z;
};

template <class T, int K, bool kExchange>
void adjoint_pass(const State<T>& psi, const State<T>& lambda, const Cosets<K>& cosets, const Matrix<T>* u,
                  Bloch<T>* overlaps) {
  Bloch<T> sums[K] = {};
  uint32_t base = cosets.first;
  for (uint32_t i = 0; i < cosets.count; base = cosets.after(base, i++)) {
    Amp<T> a[1 << K], b[1 << K];
#pragma GCC unroll 4
    for (int g = 0; g < 1 << K; ++g) {
      a[g] = psi.template load<kExchange>(base ^ cosets.offsets[g]);
      b[g] = lambda.template load<kExchange>(base ^ cosets.offsets[g]);
    }
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 4
      for (int g = 0; g < 1 << K; ++g)
        if (!(g >> k & 1)) {
          const Amp<T> p = a[g], q = a[g | 1 << k], l = b[g], m = b[g | 1 << k];
          sums[k].x += l.re * q.im - l.im * q.re + m.re * p.im - m.im * p.re;
          sums[k].y += m.re * p.re + m.im * p.im - l.re * q.re - l.im * q.im;
          sums[k].z += l.re * p.im - l.im * p.re - m.re * q.im + m.im * q.re;
        }
#pragma GCC unroll 2
    for (int k = 0; k < K; ++k)
#pragma GCC unroll 4
      for (int g = 0; g < 1 << K; ++g)
        if (!(g >> k & 1)) {
          multiply_pair<T, false>(u[k], a[g], a[g | 1 << k]);
          multiply_pair<T, false>(u[k], b[g], b[g | 1 << k]);
        }
#pragma GCC unroll 4
    for (int g = 0; g < 1 << K; ++g) {
      psi.template store<kExchange>(base ^ cosets.offsets[g], a[g]);
      lambda.template store<kExchange>(base ^ cosets.offsets[g], b[g]);
    }
  }
  for (int k = 0; k < K; ++k) overlaps[k] = sums[k];
}

// Reads the overlaps of K axes, then applies matrices to both states: the step of the adjoint method.
template <class T, int K>
void adjoint_group(const State<T>& psi, const State<T>& lambda, const Axis* axes, const Matrix<T>* inverses,
                   Bloch<T>* overlaps) {
  const Cosets<K> cosets(axes, psi.num_qubits, psi.lane_bits);
  Matrix<T> u[K];
  for (int k = 0; k < K; ++k) u[k] = on_lanes<T>(inverses[k], axes[k].row & psi.lane_mask());
  if (cosets.exchanges_lanes)
    adjoint_pass<T, K, true>(psi, lambda, cosets, u, overlaps);
  else
    adjoint_pass<T, K, false>(psi, lambda, cosets, u, overlaps);
  for (int k = 0; k < K; ++k) {
    const auto signs = lane_signs<T>(axes[k].row & psi.lane_mask());
    overlaps[k].y *= signs;
    overlaps[k].z *= signs;
  }
}

// A Pauli string in the frame: (P psi)(y) = (-i)^power (-1)^(parity(row & y) ^ one) psi(y ^ flip).
struct Pauli {
  uint32_t flip, row, one;
  int power;

  Pauli(const Frame& frame, uint32_t x, uint32_t z)
      : flip(frame.flips(x)), row(frame.row(z)), one(frame.one(z)), power(__builtin_popcount(x & z) & 3) {}
};

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

// A one-qubit matrix on an axis whose flip stays within the vector.
template <class T>
void lane_matrix(const State<T>& state, const Axis& axis, const Matrix<T>& matrix) {
  const Matrix<T> sides[2] = {on_lanes<T>(matrix, axis.row & state.lane_mask()),
                              on_lanes<T>({{matrix.re[3], matrix.re[2], matrix.re[1], matrix.re[0]},
                                           {matrix.im[3], matrix.im[2], matrix.im[1], matrix.im[0]},
                                           matrix.real},
                                          axis.row & state.lane_mask())};
  for (uint32_t v = 0; v < state.num_vectors(); ++v) {
    const Matrix<T>& u = sides[parity((v << state.lane_bits) & axis.row) ^ axis.one];
    const Amp<T> here = state.data[v];
    const Amp<T> there{exchange<T>(here.re, axis.flip), exchange<T>(here.im, axis.flip)};
    state.data[v].re = u.re[0] * here.re - u.im[0] * here.im + u.re[1] * there.re - u.im[1] * there.im;
    state.data[v].im = u.re[0] * here.im + u.im[0] * here.re + u.re[1] * there.im + u.im[1] * there.re;
  }
}

// Several one-qubit matrices on axes that are bits of the lane, in one pass.
template <class T, int K>
void apply_in_lanes(const State<T>& state, const uint32_t* bits, const Matrix<T>* matrices) {
  using V = typename Lanes<T>::V;
  // diagonal and off-diagonal entry for every lane
  Amp<T> here[K], there[K];
  typename Lanes<T>::I order[K];
  for (int k = 0; k < K; ++k)
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      const int one = (l & bits[k]) != 0;
      here[k].re[l] = matrices[k].re[3 * one][l];
      here[k].im[l] = matrices[k].im[3 * one][l];
      there[k].re[l] = matrices[k].re[1 + one][l];
      there[k].im[l] = matrices[k].im[1 + one][l];
      order[k][l] = l ^ bits[k];
    }
  for (uint32_t v = 0; v < state.num_vectors(); ++v) {
    Amp<T> a = state.data[v];
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      const V re = permute<T>(a.re, order[k]), im = permute<T>(a.im, order[k]);
      a = {here[k].re * a.re - here[k].im * a.im + there[k].re * re - there[k].im * im,
           here[k].re * a.im + here[k].im * a.re + there[k].re * im + there[k].im * re};
    }
    state.data[v] = a;
  }
}

// The overlaps of axes that are bits of the lane, in one pass.
template <class T, int K>
void overlaps_in_lanes(const State<T>& psi, const State<T>& lambda, const uint32_t* bits, Bloch<T>* overlaps) {
  using V = typename Lanes<T>::V;
  V x[K] = {}, y[K] = {}, z{};
  for (uint32_t v = 0; v < psi.num_vectors(); ++v) {
    const Amp<T> p = psi.data[v], l = lambda.data[v];
    z += l.re * p.im - l.im * p.re;
#pragma GCC unroll 4
    for (int k = 0; k < K; ++k) {
      const V re = exchange<T>(p.re, bits[k]), im = exchange<T>(p.im, bits[k]);
      x[k] += l.re * im - l.im * re;
      y[k] += l.re * re + l.im * im;
    }
  }
  for (int k = 0; k < K; ++k) {
    const V signs = lane_signs<T>(bits[k]);
    overlaps[k] = {x[k], -signs * y[k], signs * z};
  }
}

// Reorders the lanes of every vector so that some qubits become bits of the lane: qubit k the bit `1 << k`.
// Their flips must stay within vectors.
template <class T>
void sort_lanes(const State<T>& state, const Axis* axes) {
  typename Lanes<T>::I order;
  for (int l = 0; l < Lanes<T>::kWidth; ++l) {
    order[l] = l & ~state.lane_mask();
    for (int k = 0; k < state.lane_bits; ++k)
      if (l >> k & 1) order[l] ^= axes[k].flip;
  }
  for (uint32_t v = 0; v < state.num_vectors(); ++v) {
    uint32_t first = 0;  // the lane with all of the qubits at zero
    for (int k = 0; k < state.lane_bits; ++k)
      if (parity((v << state.lane_bits) & axes[k].row) ^ axes[k].one) first ^= axes[k].flip;
    const auto from = order ^ first;
    state.data[v] = {permute<T>(state.data[v].re, from), permute<T>(state.data[v].im, from)};
  }
}

template <class T, bool kExchange>
void rotation_pass(const State<T>& state, const Pauli& pauli, const Cosets<1>& cosets,
                   typename Lanes<T>::V cosine, typename Lanes<T>::V sine) {
  using V = typename Lanes<T>::V;
  const V sines[2] = {sine, -sine};
  uint32_t base = cosets.first;
  for (uint32_t i = 0; i < cosets.count; base = cosets.after(base, i++)) {
    const V s = sines[parity(base & pauli.row) ^ pauli.one];
    const Amp<T> a = state.template load<kExchange>(base);
    const Amp<T> b = state.template load<kExchange>(base ^ pauli.flip);
    state.template store<kExchange>(base, {cosine * a.re + s * b.im, cosine * a.im - s * b.re});
    state.template store<kExchange>(base ^ pauli.flip, {cosine * b.re + s * a.im, cosine * b.im - s * a.re});
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
  if (pauli.power & 1) {
    // The string anticommutes with its own sign: on its pairs it is a Y.
    const Axis axis{pauli.flip, pauli.row, pauli.one};
    const Matrix<T> u{{cosine, -signed_sine, signed_sine, cosine}, {none, none, none, none}, true};
    return apply_group<T, 1>(state, &axis, &u);
  }
  // The sign is the same on both sides of a pair: on its pairs the string is an X.
  const Axis axis{pauli.flip, 1u << (31 - __builtin_clz(pauli.flip)), 0};
  const Cosets<1> cosets(&axis, state.num_qubits, state.lane_bits);
  const V s = lane_signs<T>(pauli.row & state.lane_mask()) * signed_sine;
  if (cosets.exchanges_lanes)
    rotation_pass<T, true>(state, pauli, cosets, cosine, s);
  else
    rotation_pass<T, false>(state, pauli, cosets, cosine, s);
}

// Im <lambda| P |psi> for every lane.
template <class T>
typename Lanes<T>::V overlap(const State<T>& psi, const State<T>& lambda, const Pauli& pauli) {
  using V = typename Lanes<T>::V;
  const V signs[2] = {V{} + 1, V{} - 1};
  V sum{};
  auto pass = [&]<bool kExchange>() {
    for (uint32_t v = 0; v < psi.num_vectors(); ++v) {
      const uint32_t address = v << psi.lane_bits;
      const V sign = signs[parity(address & pauli.row) ^ pauli.one];
      const Amp<T> p = psi.template load<kExchange>(address ^ pauli.flip);
      const Amp<T> l = lambda.data[v];
      if (pauli.power & 1)
        sum -= sign * (l.re * p.re + l.im * p.im);
      else
        sum += sign * (l.re * p.im - l.im * p.re);
    }
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

}  // namespace qjax
