// Vectors over lanes, and sine and cosine of a whole vector of angles.
//
// The same source is compiled once for every instruction set; the width follows the registers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

namespace qjax {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
// Qubits taken through the registers in one stage: 2^k amplitudes of two vectors each must fit.
inline constexpr int kForwardGroup = 3;
inline constexpr int kAdjointGroup = 3;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kForwardGroup = 2;
inline constexpr int kAdjointGroup = 2;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kForwardGroup = 2;
inline constexpr int kAdjointGroup = 2;
#endif

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float V __attribute__((vector_size(kVectorBytes)));
  typedef int32_t I __attribute__((vector_size(kVectorBytes)));
  static constexpr int kWidth = kVectorBytes / 4;
};
template <>
struct Lanes<double> {
  typedef double V __attribute__((vector_size(kVectorBytes)));
  typedef int64_t I __attribute__((vector_size(kVectorBytes)));
  static constexpr int kWidth = kVectorBytes / 8;
};

// One amplitude of as many circuits (or neighbouring amplitudes of one) as a vector has lanes.
template <class V>
struct Complex {
  V re, im;
};
template <class T>
using Amp = Complex<typename Lanes<T>::V>;

template <class V>
inline Complex<V> operator*(const Complex<V>& a, const Complex<V>& b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class V>
inline Complex<V> conj(const Complex<V>& a) {
  return {a.re, -a.im};
}

inline uint32_t parity(uint32_t x) { return __builtin_popcount(x) & 1; }

template <class T>
inline typename Lanes<T>::V splat(T x) {
  return x - typename Lanes<T>::V{};
}

// Lane l of the result is lane order[l] of the argument.
template <class T>
inline typename Lanes<T>::V permute(typename Lanes<T>::V v, typename Lanes<T>::I order) {
#if defined(__clang__)
  typename Lanes<T>::V out;
  for (int l = 0; l < Lanes<T>::kWidth; ++l) out[l] = v[order[l]];
  return out;
#else
  return __builtin_shuffle(v, order);
#endif
}

// Lane l of the result is lane `l ^ mask` of the argument.
template <class T>
inline typename Lanes<T>::V exchange(typename Lanes<T>::V v, uint32_t mask) {
  const auto indices = []<int... k>(std::integer_sequence<int, k...>) {
    return typename Lanes<T>::I{k...};
  }(std::make_integer_sequence<int, Lanes<T>::kWidth>{});
  return permute<T>(v, indices ^ mask);
}

// -1 on the lanes whose index has odd parity with the mask, +1 on the others.
template <class T>
inline typename Lanes<T>::V lane_signs(uint32_t mask) {
  constexpr int kWidth = Lanes<T>::kWidth;
  struct Signs {
    alignas(kVectorBytes) T of[kWidth][kWidth];
  };
  static constexpr Signs kSigns = [] {
    Signs out{};
    for (int m = 0; m < kWidth; ++m)
      for (int l = 0; l < kWidth; ++l) out.of[m][l] = __builtin_parity(l & m) ? -1 : 1;
    return out;
  }();
  typename Lanes<T>::V out;
  std::memcpy(&out, kSigns.of[mask % kWidth], sizeof(out));
  return out;
}

// Sine and cosine of doubles, one register at a time: reduction by pi/2 in three parts (each product with the
// quotient is exact below 2^20 quarter turns), then the polynomials of fdlibm. Accurate to about an ulp.
inline void sincos(const double* angles, int count, double* sines, double* cosines) {
  constexpr int kWidth = kVectorBytes / 8;
  typedef double D __attribute__((vector_size(kVectorBytes)));
  typedef int64_t L __attribute__((vector_size(kVectorBytes)));
  for (int start = 0; start < count; start += kWidth) {
    D x;
    std::memcpy(&x, angles + start, sizeof(x));
    bool ordinary = true;
    for (int l = 0; l < kWidth; ++l) ordinary &= std::fabs(angles[start + l]) < 1e6;
    if (!ordinary) {  // also for NaN, which must come out as NaN
      for (int l = start; l < start + kWidth; ++l) {
        sines[l] = std::sin(angles[l]);
        cosines[l] = std::cos(angles[l]);
      }
      continue;
    }
    constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
    const D shifted = x * 0.63661977236758134308 + kRound;
    const D turns = shifted - kRound;
    const L quadrant = (L)shifted;
    const D r = ((x - turns * 1.57079632673412561417e+00) - turns * 6.07710050630396597660e-11) -
                turns * 2.02226624879595063154e-21;
    const D z = r * r;
    D s = z * 1.58969099521155010221e-10 + -2.50507602534068634195e-08;
    s = s * z + 2.75573137070700676789e-06;
    s = s * z + -1.98412698298579493134e-04;
    s = s * z + 8.33333333332248946124e-03;
    s = s * z + -1.66666666666666324348e-01;
    s = r + r * z * s;
    D c = z * -1.13596475577881948265e-11 + 2.08757232129817482790e-09;
    c = c * z + -2.75573143513906633035e-07;
    c = c * z + 2.48015872894767294178e-05;
    c = c * z + -1.38888888888741095749e-03;
    c = c * z + 4.16666666666666019037e-02;
    c = 1.0 - 0.5 * z + z * z * c;
    const L odd = -(quadrant & 1);
    const L sine_sign = (quadrant & 2) << 62;
    const L cosine_sign = ((quadrant + 1) & 2) << 62;
    const D sine = (D)((((L)c & odd) | ((L)s & ~odd)) ^ sine_sign);
    const D cosine = (D)((((L)s & odd) | ((L)c & ~odd)) ^ cosine_sign);
    std::memcpy(sines + start, &sine, sizeof(sine));
    std::memcpy(cosines + start, &cosine, sizeof(cosine));
  }
}

}  // namespace qjax
