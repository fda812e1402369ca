// From overlaps to gradients of parameters and features.
#pragma once

#include "adjoint.h"

namespace qjax {

template <class T>
class Gradients {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;

 public:
  Gradients(const Schedule& schedule, const Values<T>& values, const Rows<T>& rows)
      : schedule_(schedule), values_(values), rows_(rows) {}

  bool wanted(int32_t chain) const {
    const ChainRef& ref = schedule_.chains[chain];
    for (int32_t t = ref.first_turn; t < ref.first_turn + ref.num_turns; ++t)
      if (wanted(schedule_.turns[t])) return true;
    return false;
  }

  bool wanted(const Pass& pass) const {
    auto any = [&](const std::vector<int32_t>& chains) {
      return std::any_of(chains.begin(), chains.end(), [&](int32_t chain) { return wanted(chain); });
    };
    if (pass.kind == Pass::kMeasure)
      return std::any_of(pass.strings.begin(), pass.strings.end(), [&](const String& s) { return wanted(s.chain); });
    return any(pass.chains) || any(pass.lane_chains);
  }

  // Of a single rotation: the overlap with its generator.
  void add(int32_t chain, V overlap) const { add(schedule_.turns[schedule_.chains[chain].first_turn], overlap); }

  // Of a one-qubit unitary: overlaps taken before its last diagonal, pulled back through its factors.
  void add(int32_t chain, const Bloch<T>& overlaps) const {
    const ChainRef& ref = schedule_.chains[chain];
    const Amp<T> post = values_.post(chain);
    Bloch<T> b{post.re * overlaps.x - post.im * overlaps.y, post.im * overlaps.x + post.re * overlaps.y, overlaps.z};
    for (int32_t k = ref.count - 1; k >= 0; --k) {
      const FactorRef& factor = schedule_.factors[ref.first + k];
      if (factor.fixed) {
        V out[3];
        const double* m = factor.fixed->bloch;
        for (int a = 0; a < 3; ++a) out[a] = b.x * T(m[a]) + b.y * T(m[3 + a]) + b.z * T(m[6 + a]);
        b = {out[0], out[1], out[2]};
        continue;
      }
      const TurnRef& turn = schedule_.turns[factor.turn];
      if (wanted(turn)) add(turn, factor.kind == Factor::kX ? b.x : factor.kind == Factor::kY ? b.y : b.z);
      if (k == 0) break;
      const auto [s, c] = values_.turn(chain, factor.turn);
      const V cosine = c * c - s * s, sine = s * c + s * c;
      if (factor.kind == Factor::kX)
        b = {b.x, cosine * b.y + sine * b.z, cosine * b.z - sine * b.y};
      else if (factor.kind == Factor::kY)
        b = {cosine * b.x - sine * b.z, b.y, cosine * b.z + sine * b.x};
      else
        b = {cosine * b.x + sine * b.y, cosine * b.y - sine * b.x, b.z};
    }
  }

 private:
  bool wanted(const TurnRef& turn) const {
    return (rows_.param_gradients && turn.param >= 0) || (rows_.feature_gradients && turn.feature >= 0);
  }

  // Lanes hold parts of d<O>/d(angle); the chain rule takes them on to parameters and features.
  void add(const TurnRef& turn, V slope) const {
    if (rows_.param_gradients && turn.param >= 0)
      add(rows_.param_gradients + size_t(turn.param) * kWidth, turn.scale, slope, rows_.features, turn.feature);
    if (rows_.feature_gradients && turn.feature >= 0)
      add(rows_.feature_gradients + size_t(turn.feature) * kWidth, turn.scale, slope, rows_.params, turn.param);
  }

  static void add(double* sums, double scale, V slope, const T* const* factors, int32_t factor) {
    alignas(V) T lanes[kWidth];
    std::memcpy(lanes, &slope, sizeof(slope));
    if (factor < 0)
      for (int l = 0; l < kWidth; ++l) sums[l] += scale * double(lanes[l]);
    else
      for (int l = 0; l < kWidth; ++l) sums[l] += scale * double(lanes[l]) * double(factors[l][factor]);
  }

  const Schedule& schedule_;
  const Values<T>& values_;
  const Rows<T>& rows_;
};

}  // namespace qjax
