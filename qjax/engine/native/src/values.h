// A block's angles as numbers: sines and cosines, and one-qubit unitaries as diagonal * RY * diagonal.
#pragma once

#include <algorithm>
#include <type_traits>

#include "schedule.h"
#include "vec.h"

namespace qjax {

// Where a vector's circuits take their numbers; lanes of one circuit point alike. Gradients go to doubles
// [number][lane], null where they are not wanted.
template <class T>
struct Rows {
  const T* params[Lanes<T>::kWidth];
  const T* features[Lanes<T>::kWidth];
  double* param_gradients;
  double* feature_gradients;
};

// Of half an angle.
template <class V>
struct Turn {
  V sine, cosine;
};

// phase * diag(1, post) * [[cosine, -sine], [sine, cosine]] * diag(1, pre)
template <class V>
struct Split {
  V cosine, sine, tangent;
  Complex<V> pre, post, phase;
};

inline float root(float x) { return std::sqrt(x); }
inline double root(double x) { return std::sqrt(x); }
template <class V>
inline V root(V x) {
  V out;
  for (size_t l = 0; l < sizeof(V) / sizeof(x[0]); ++l) out[l] = std::sqrt(x[l]);
  return out;
}

template <class V>
inline V spread(double x) {
  if constexpr (std::is_arithmetic_v<V>) {
    return V(x);
  } else {
    using T = std::remove_cvref_t<decltype(V{}[0])>;
    return T(x) - V{};
  }
}

// The unit number along z; 1 where z is too small to have a direction.
template <class V>
inline Complex<V> direction(const Complex<V>& z, V size, V inverse) {
  const auto has = size > 1e-30f;
  return {has ? z.re * inverse : V{} + 1, has ? z.im * inverse : V{}};
}

// Only the first column (p, q) and the determinant d are followed: the second column is d (-q*, p*).
template <class V, class TurnOf>
Split<V> split(const FactorRef* factors, int count, TurnOf&& turn_of) {
  Complex<V> p{V{} + 1, V{}}, q{}, d{V{} + 1, V{}};
  for (const FactorRef* factor = factors; factor < factors + count; ++factor) {
    const Complex<V> a = p, b = q;
    if (factor->kind == Factor::kFixed) {
      Complex<V> m[4];
      for (int k = 0; k < 4; ++k)
        m[k] = {spread<V>(factor->fixed->matrix[2 * k]), spread<V>(factor->fixed->matrix[2 * k + 1])};
      const Complex<V> p0 = m[0] * a, p1 = m[1] * b, q0 = m[2] * a, q1 = m[3] * b;
      p = {p0.re + p1.re, p0.im + p1.im};
      q = {q0.re + q1.re, q0.im + q1.im};
      const Complex<V> d0 = m[0] * m[3], d1 = m[1] * m[2];
      d = d * Complex<V>{d0.re - d1.re, d0.im - d1.im};
      continue;
    }
    const auto [s, c] = turn_of(factor->turn);
    switch (factor->kind) {
      case Factor::kX:
        p = {c * a.re + s * b.im, c * a.im - s * b.re};
        q = {c * b.re + s * a.im, c * b.im - s * a.re};
        break;
      case Factor::kY:
        p = {c * a.re - s * b.re, c * a.im - s * b.im};
        q = {s * a.re + c * b.re, s * a.im + c * b.im};
        break;
      default:
        p = {c * a.re + s * a.im, c * a.im - s * a.re};
        q = {c * b.re - s * b.im, c * b.im + s * b.re};
    }
  }
  Split<V> out;
  out.cosine = root(p.re * p.re + p.im * p.im);
  out.sine = root(q.re * q.re + q.im * q.im);
  const V one = spread<V>(1), over_cosine = one / out.cosine, over_sine = one / out.sine;
  out.tangent = out.sine * over_cosine;
  out.phase = direction(p, out.cosine, over_cosine);
  const Complex<V> to = direction(q, out.sine, over_sine);
  out.post = to * conj(out.phase);
  out.pre = d * conj(to * out.phase);
  return out;
}

// What a string multiplies by where its parity is even, and where it is odd.
template <class T>
struct ParityFactors {
  Amp<T> even, odd;
};

// The same on the lanes of even parity with the mask, exchanged on the others.
template <class T>
ParityFactors<T> in_lane_order(const ParityFactors<T>& f, uint32_t mask) {
  if (mask == 0) return f;
  const auto even = lane_signs<T>(mask) > 0;
  return {{even ? f.even.re : f.odd.re, even ? f.even.im : f.odd.im},
          {even ? f.odd.re : f.even.re, even ? f.odd.im : f.even.im}};
}

// All angles of a schedule as a block of circuits sees them. What is the same on every lane is kept as scalars.
template <class T>
class Values {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;
  static constexpr int32_t kChunk = 64;  // turns

 public:
  // Parts of the workspace; `take(part, count)` gives each its place.
  template <class Take>
  void lay_out(const Schedule& schedule, bool mixed, Take&& take) {
    schedule_ = &schedule;
    mixed_ = mixed;
    take(shared_turns_, mixed ? 0 : schedule.turns.size());
    take(shared_splits_, mixed ? 0 : schedule.chains.size());
    take(lane_turns_, mixed ? schedule.turns.size() : size_t(schedule.num_lane_turns));
    take(lane_splits_, mixed ? schedule.chains.size() : size_t(schedule.num_lane_chains));
    prepared_ = nullptr;
  }

  // What the same numbers gave before is kept: circuits one after the other have often most of them in common.
  void prepare(const Rows<T>& rows) {
    const T* const params = rows.params[0];
    if (!mixed_ && prepared_ != params) prepare_shared(params);
    if (mixed_ || schedule_->num_lane_chains > 0) {
      const bool same_features = !mixed_ && prepared_ && std::ranges::equal(rows.features, prepared_features_);
      for (int32_t c = 0; c < int32_t(schedule_->chains.size()); ++c) {
        const ChainRef& chain = schedule_->chains[c];
        if (on_lanes(c) && !(same_features && are_same(params, chain.first_turn, chain.first_turn + chain.num_turns)))
          prepare_lanes(c, rows, same_features);
      }
      std::ranges::copy(rows.features, prepared_features_);
    }
    prepared_ = params;
  }

  V cosine(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).cosine : splat<T>(shared_splits_[chain].cosine); }
  V sine(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).sine : splat<T>(shared_splits_[chain].sine); }
  V tangent(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).tangent : splat<T>(shared_splits_[chain].tangent); }
  Amp<T> pre(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).pre : spread(shared_splits_[chain].pre); }
  Amp<T> post(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).post : spread(shared_splits_[chain].post); }
  Amp<T> phase(int32_t chain) const { return on_lanes(chain) ? lane_split(chain).phase : spread(shared_splits_[chain].phase); }

  uint32_t lane_mask() const { return (1u << schedule_->lane_bits) - 1; }

  // Whether a pass's phases are the same on every lane.
  bool are_alike(const Pass& pass) const { return !mixed_ && pass.is_alike; }

  Turn<V> turn(int32_t chain, int32_t turn) const {
    if (!on_lanes(chain)) return {splat<T>(shared_turns_[turn].sine), splat<T>(shared_turns_[turn].cosine)};
    return lane_turns_[lane_turn(chain, turn)];
  }

  // Of a string, as its own value, its parity on the lanes included.
  ParityFactors<T> factors(const String& s) const {
    const Amp<T> one{V{} + 1, V{}};
    if (s.source == String::kStart) {
      if (s.chain < 0) return ordered({one, Amp<T>{}}, s);
      return ordered({Amp<T>{cosine(s.chain), V{}}, Amp<T>{sine(s.chain), V{}}}, s);
    }
    if (s.source == String::kPre) return ordered({one, pre(s.chain)}, s);
    if (s.source == String::kPost) return ordered({one, post(s.chain)}, s);
    const auto half = turn(s.chain, schedule_->chains[s.chain].first_turn);
    const V real = half.cosine * half.cosine - half.sine * half.sine, imaginary = half.sine * half.cosine;
    return ordered({one, Amp<T>{real, imaginary + imaginary}}, s);
  }

 private:
  // The string's value may be the other parity, and its parity on the lanes counts.
  ParityFactors<T> ordered(ParityFactors<T> f, const String& s) const {
    f = in_lane_order<T>(f, s.row & lane_mask());
    return s.one ? ParityFactors<T>{f.odd, f.even} : f;
  }

  static Amp<T> spread(const Complex<T>& z) { return {splat<T>(z.re), splat<T>(z.im)}; }
  bool on_lanes(int32_t chain) const { return mixed_ || schedule_->chains[chain].uses_features; }
  const Split<V>& lane_split(int32_t chain) const {
    return lane_splits_[mixed_ ? chain : schedule_->chains[chain].lane_place];
  }
  int32_t lane_turn(int32_t chain, int32_t turn) const {
    const ChainRef& ref = schedule_->chains[chain];
    return mixed_ ? turn : ref.lane_turn + turn - ref.first_turn;
  }

  void prepare_shared(const T* params) {
    const auto& chains = schedule_->chains;
    for (size_t begin = 0, end; begin < chains.size(); begin = end) {
      const int32_t first = chains[begin].first_turn;
      int32_t last = first;
      for (end = begin; end < chains.size() && (end == begin || last + chains[end].num_turns <= first + kChunk); ++end)
        last += chains[end].num_turns;
      if (prepared_ && are_same(params, first, last)) continue;
      for (int32_t turn = first; turn < last; turn += kChunk) turn_shared(params, turn, std::min(kChunk, last - turn));
      for (size_t c = begin; c < end; ++c)
        if (chains[c].is_split && !chains[c].uses_features)
          shared_splits_[c] = split<T>(schedule_->factors.data() + chains[c].first, chains[c].count,
                                       [&](int32_t turn) { return shared_turns_[turn]; });
    }
  }

  // Whether turns are those of the set before, as most of a shifted set are.
  bool are_same(const T* params, int32_t first, int32_t last) const {
    for (int32_t t = first; t < last; ++t)
      if (const int32_t param = schedule_->turns[t].param; param >= 0 && params[param] != prepared_[param]) return false;
    return true;
  }

  void turn_shared(const T* params, int32_t first, int32_t count) {
    alignas(64) double halves[kChunk] = {}, sines[kChunk], cosines[kChunk];
    for (int32_t k = 0; k < count; ++k) {
      const TurnRef& turn = schedule_->turns[first + k];
      if (turn.feature < 0)
        halves[k] = ((turn.param < 0 ? 0.0 : turn.scale * double(params[turn.param])) + turn.offset) / 2;
    }
    sincos(halves, count, sines, cosines);
    for (int32_t k = 0; k < count; ++k) shared_turns_[first + k] = {T(sines[k]), T(cosines[k])};
  }

  void prepare_lanes(int32_t index, const Rows<T>& rows, bool same_features) {
    const ChainRef& chain = schedule_->chains[index];
    alignas(64) double halves[kWidth], sines[kWidth], cosines[kWidth];
    for (int32_t t = chain.first_turn; t < chain.first_turn + chain.num_turns; ++t) {
      const TurnRef& turn = schedule_->turns[t];
      Turn<V>& out = lane_turns_[lane_turn(index, t)];
      if (turn.feature < 0 && !mixed_) {
        out = {splat<T>(shared_turns_[t].sine), splat<T>(shared_turns_[t].cosine)};
        continue;
      }
      if (turn.param < 0 && same_features) continue;
      for (int l = 0; l < kWidth; ++l) {
        double value = turn.param < 0 && turn.feature < 0 ? 0.0 : turn.scale;
        if (turn.param >= 0) value *= rows.params[l][turn.param];
        if (turn.feature >= 0) value *= rows.features[l][turn.feature];
        halves[l] = (value + turn.offset) / 2;
      }
      sincos(halves, kWidth, sines, cosines);
      for (int l = 0; l < kWidth; ++l) {
        out.sine[l] = T(sines[l]);
        out.cosine[l] = T(cosines[l]);
      }
    }
    if (chain.is_split)
      lane_splits_[mixed_ ? index : chain.lane_place] =
          split<V>(schedule_->factors.data() + chain.first, chain.count,
                   [&](int32_t turn) { return lane_turns_[lane_turn(index, turn)]; });
  }

  const Schedule* schedule_ = nullptr;
  bool mixed_ = false;
  const T* prepared_ = nullptr;  // params
  const T* prepared_features_[kWidth];
  Turn<T>* shared_turns_ = nullptr;
  Split<T>* shared_splits_ = nullptr;
  Turn<V>* lane_turns_ = nullptr;
  Split<V>* lane_splits_ = nullptr;
};

}  // namespace qjax
