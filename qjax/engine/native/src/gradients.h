// From overlaps to gradients of parameters and features.
#pragma once

#include "adjoint.h"

namespace qjax {

template <class T>
class Gradients {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;

 public:
  Gradients(const Schedule& schedule, const Values<T>& values, const Rows<T>& rows, bool params, bool features)
      : schedule_(schedule), values_(values), rows_(rows), params_wanted_(params), features_wanted_(features) {}

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
    return (params_wanted_ && turn.param >= 0) || (features_wanted_ && turn.feature >= 0);
  }

  // Lanes hold parts of d<O>/d(angle); the chain rule takes them on to parameters and features.
  void add(const TurnRef& turn, V slope) const {
    if (params_wanted_ && turn.param >= 0 && turn.feature < 0 && rows_.shared_param_gradients) {
      for (int bit = kWidth / 2; bit > 0; bit /= 2) slope += exchange<T>(slope, bit);
      rows_.param_gradients[0][turn.param] += turn.scale * double(slope[0]);
      return;
    }
    for (int l = 0; l < kWidth; ++l) {
      const double scaled = turn.scale * double(slope[l]);
      if (params_wanted_ && turn.param >= 0)
        rows_.param_gradients[l][turn.param] +=
            scaled * (turn.feature < 0 ? 1.0 : double(rows_.features[l][turn.feature]));
      if (features_wanted_ && turn.feature >= 0)
        rows_.feature_gradients[l][turn.feature] +=
            scaled * (turn.param < 0 ? 1.0 : double(rows_.params[l][turn.param]));
    }
  }

  const Schedule& schedule_;
  const Values<T>& values_;
  const Rows<T>& rows_;
  bool params_wanted_, features_wanted_;
};

}  // namespace qjax
