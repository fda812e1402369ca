// Runs a plan on one vector of circuits: forward, and backward by the adjoint method.
#pragma once

#include <algorithm>
#include <iterator>

#include "observables.h"
#include "plan.h"

namespace qjax {

// Where a vector's circuits take their numbers, and where gradients go. Lanes of one circuit point alike.
template <class T>
struct Rows {
  const T* params[Lanes<T>::kWidth];
  const T* features[Lanes<T>::kWidth];
  double* param_gradients[Lanes<T>::kWidth];
  double* feature_gradients[Lanes<T>::kWidth];
  bool shared_params, shared_param_gradients;
};

// Bytes that one run needs, and where its parts lie.
template <class T>
struct Workspace {
  State<T> psi{}, lambda{}, scratch{};
  Matrix<T>* matrices;
  Amp<T>* product;
  Amp<T>* dense;
  Amp<T>* weights;
  typename Lanes<T>::V* sums;
  typename Lanes<T>::V* values;
  double* gradients;

  // Lays the parts out from `memory` (null to learn the size only); returns the size.
  size_t lay_out(const Plan& plan, int lane_bits, bool backward, char* memory) {
    size_t size = 0;
    auto take = [&]<class U>(U*& part, size_t count) {
      part = reinterpret_cast<U*>(memory + size);
      size += (count * sizeof(U) + 127) / 128 * 128;
    };
    const size_t vectors = size_t(1) << (plan.num_qubits - lane_bits);
    psi = lambda = scratch = {nullptr, plan.num_qubits, lane_bits};
    take(psi.data, vectors);
    if (backward) take(lambda.data, vectors);
    if (plan.has_dense) take(scratch.data, vectors);
    if (plan.has_dense) take(dense, 256);
    take(matrices, plan.num_qubits);
    take(product, 2 * plan.num_qubits);
    take(weights, plan.terms.size());
    take(sums, plan.terms.size());
    take(values, plan.num_observables);
    if (backward)
      take(gradients, size_t(Lanes<T>::kWidth >> lane_bits) * (size_t(plan.num_params) + plan.num_features));
    return size;
  }
};

template <class T>
class Runner {
  using V = typename Lanes<T>::V;
  static constexpr int kWidth = Lanes<T>::kWidth;

 public:
  Runner(const Plan& plan, Workspace<T>& space, const Rows<T>& rows, bool params_wanted, bool features_wanted)
      : plan_(plan), space_(space), rows_(rows), frame_(plan.num_qubits),
        params_wanted_(params_wanted), features_wanted_(features_wanted) {}

  // Leaves <O> for every observable and lane in the workspace's `values`.
  void evaluate() {
    forward();
    expectations<T>(space_.psi, frame_, plan_, space_.sums, space_.values);
  }

  // Writes the state's amplitudes, re and im in turn, or their squares, for the circuit on some lane.
  void prepare() { forward(); }
  void read(int lane, bool squares, T* out) const {
    const int n = plan_.num_qubits;
    uint32_t after[32], address = 0, flips = 0;  // counting up by one toggles the lowest bits
    for (int q = n - 1; q >= 0; --q) after[n - 1 - q] = flips ^= frame_.axes[q].flip;
    for (int q = 0; q < n; ++q)
      if (frame_.axes[q].one) address ^= frame_.axes[q].flip;
    const T re = phase_.re[lane], im = phase_.im[lane];
    for (uint32_t x = 0; x < 1u << n; address ^= after[__builtin_ctz(++x) & 31]) {
      const Amp<T>& vector = space_.psi.data[address >> space_.psi.lane_bits];
      const int place = lane | int(address & space_.psi.lane_mask());
      const T a = vector.re[place], b = vector.im[place];
      if (squares) {
        out[x] = a * a + b * b;
      } else {
        out[2 * size_t(x)] = a * re - b * im;
        out[2 * size_t(x) + 1] = a * im + b * re;
      }
    }
  }

  // Adds the gradient of sum_o values[o] <O_o> to the rows' gradients; `values` holds the cotangents.
  void pull_back() {
    forward();
    apply_observables<T>(space_.psi, space_.lambda, frame_, plan_, space_.values, space_.weights);
    // What comes before the first wanted angle need not be undone.
    const auto first = std::find_if(plan_.steps.begin(), plan_.steps.end(), [&](const Step& s) { return wanted(s); });
    backward(plan_.steps, first - plan_.steps.begin(), 0, 0);
  }

 private:
  struct Turn {
    V sine, cosine;
  };

  // Sine and cosine of half an angle on every lane.
  Turn half_turn(const Angle& angle, int64_t param_shift, int64_t feature_shift) const {
    alignas(64) double halves[kWidth], sines[kWidth], cosines[kWidth];
    const int64_t p = angle.param + param_shift, f = angle.feature + feature_shift;
    Turn turn;
    if (angle.feature < 0 && (angle.param < 0 || rows_.shared_params)) {
      const double value = (angle.param < 0 ? 0.0 : angle.scale * rows_.params[0][p]) + angle.offset;
      for (int l = 0; l < kVectorBytes / 8; ++l) halves[l] = value / 2;
      sincos(halves, 1, sines, cosines);
      return {splat<T>(T(sines[0])), splat<T>(T(cosines[0]))};
    }
    for (int l = 0; l < kWidth; ++l) {
      double value = angle.scale;
      if (angle.param >= 0) value *= rows_.params[l][p];
      if (angle.feature >= 0) value *= rows_.features[l][f];
      halves[l] = (value + angle.offset) / 2;
    }
    sincos(halves, kWidth, sines, cosines);
    for (int l = 0; l < kWidth; ++l) {
      turn.sine[l] = T(sines[l]);
      turn.cosine[l] = T(cosines[l]);
    }
    return turn;
  }

  Matrix<T> chain_matrix(const Chain& chain, int64_t param_shift, int64_t feature_shift) const {
    Matrix<T> u{{V{} + 1, V{}, V{}, V{} + 1}, {}, true};
    for (const Factor& factor : chain.factors) {
      const Matrix<T> m = u;
      if (factor.kind == Factor::kFixed) {
        const double* e = factor.matrix;
        for (int r = 0; r < 2; ++r)
          for (int c = 0; c < 2; ++c) {
            const T ar = T(e[4 * r]), ai = T(e[4 * r + 1]), br = T(e[4 * r + 2]), bi = T(e[4 * r + 3]);
            u.re[2 * r + c] = ar * m.re[c] - ai * m.im[c] + br * m.re[2 + c] - bi * m.im[2 + c];
            u.im[2 * r + c] = ar * m.im[c] + ai * m.re[c] + br * m.im[2 + c] + bi * m.re[2 + c];
          }
        u.real &= e[1] == 0 && e[3] == 0 && e[5] == 0 && e[7] == 0;
        continue;
      }
      const auto [s, co] = half_turn(factor.angle, param_shift, feature_shift);
      for (int c = 0; c < 2; ++c) {
        const V pr = m.re[c], pi = m.im[c], qr = m.re[2 + c], qi = m.im[2 + c];
        switch (factor.kind) {
          case Factor::kX:
            u.re[c] = co * pr + s * qi;
            u.im[c] = co * pi - s * qr;
            u.re[2 + c] = co * qr + s * pi;
            u.im[2 + c] = co * qi - s * pr;
            break;
          case Factor::kY:
            u.re[c] = co * pr - s * qr;
            u.im[c] = co * pi - s * qi;
            u.re[2 + c] = co * qr + s * pr;
            u.im[2 + c] = co * qi + s * pi;
            break;
          default:
            u.re[c] = co * pr + s * pi;
            u.im[c] = co * pi - s * pr;
            u.re[2 + c] = co * qr - s * qi;
            u.im[2 + c] = co * qi + s * qr;
        }
      }
      u.real &= factor.kind == Factor::kY;
    }
    return u;
  }

  static Matrix<T> inverse(const Matrix<T>& u) {
    return {{u.re[0], u.re[2], u.re[1], u.re[3]}, {-u.im[0], -u.im[2], -u.im[1], -u.im[3]}, u.real};
  }

  void forward() {
    // Until a gate couples qubits the state is a product, and costs nothing.
    for (int q = 0; q < plan_.num_qubits; ++q) {
      space_.product[2 * q] = Amp<T>{V{} + 1, V{}};
      space_.product[2 * q + 1] = Amp<T>{};
    }
    is_product_ = true;
    forward(plan_.steps, 0, 0);
    materialise();
  }

  void materialise() {
    if (!is_product_) return;
    is_product_ = false;
    Amp<T>* state = space_.psi.data;
    const int n = plan_.num_qubits, lane_bits = space_.psi.lane_bits;
    auto times = [](const Amp<T>& a, const Amp<T>& b) {
      return Amp<T>{a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    };
    state[0] = {V{} + 1, V{}};
    for (int bit = 0; bit < lane_bits; ++bit) {
      const Amp<T>* column = space_.product + 2 * (n - 1 - bit);
      Amp<T> factor{};
      for (int l = 0; l < kWidth; ++l) {
        factor.re[l] = column[l >> bit & 1].re[l];
        factor.im[l] = column[l >> bit & 1].im[l];
      }
      state[0] = times(state[0], factor);
    }
    for (int bit = lane_bits; bit < n; ++bit) {
      const Amp<T> zero = space_.product[2 * (n - 1 - bit)], one = space_.product[2 * (n - 1 - bit) + 1];
      const uint32_t half = 1u << (bit - lane_bits);
      for (uint32_t v = 0; v < half; ++v) {
        state[v + half] = times(state[v], one);
        state[v] = times(state[v], zero);
      }
    }
  }

  void forward(const std::vector<Step>& steps, int64_t param_shift, int64_t feature_shift) {
    for (const Step& step : steps) {
      switch (step.kind) {
        case Step::kLayer:
          for (const Chain& chain : step.chains) {
            const Matrix<T> u = chain_matrix(chain, param_shift, feature_shift);
            if (is_product_)
              multiply_pair<T, false>(u, space_.product[2 * chain.qubit], space_.product[2 * chain.qubit + 1]);
            else
              space_.matrices[chain.qubit] = u;
          }
          if (!is_product_) apply_layer(step.chains);
          break;
        case Step::kRotation: {
          materialise();
          const auto [sine, cosine] = half_turn(step.angle, param_shift, feature_shift);
          rotate<T>(space_.psi, Pauli(frame_, step.x, step.z), cosine, sine);
          break;
        }
        case Step::kPhase: {
          const auto [s, c] = half_turn(step.angle, param_shift, feature_shift);
          phase_ = {phase_.re * c + phase_.im * s, phase_.im * c - phase_.re * s};
          break;
        }
        case Step::kDense:
          materialise();
          dense(space_.psi, step, false);
          break;
        case Step::kLoop:
          for (int64_t t = 0; t < step.times; ++t)
            forward(step.body, param_shift + t * step.param_stride, feature_shift + t * step.feature_stride);
          break;
        default:
          materialise();
          permute(step);
      }
    }
  }

  void permute(const Step& step) {
    if (step.kind == Step::kFlip)
      frame_.flip(step.qubits[0]);
    else if (step.kind == Step::kControlledFlip)
      frame_.controlled_flip(step.qubits[0], step.qubits[1]);
    else
      frame_.exchange(step.qubits[0], step.qubits[1]);
  }

  void dense(State<T>& state, const Step& step, bool inverse) {
    Axis axes[4];
    for (size_t k = 0; k < step.qubits.size(); ++k) axes[k] = frame_.axes[step.qubits[k]];
    apply_dense<T>(state, space_.scratch, axes, int(step.qubits.size()), step.matrix.data(), inverse, space_.dense);
    std::swap(state.data, space_.scratch.data);
  }

  // Calls group(count, axes, qubits) for groups of qubits that one pass can take.
  template <class Group>
  void in_groups(uint32_t left, int most, Group&& group) {
    while (left) {
      Independent independent(space_.psi.lane_bits);
      Axis axes[3];
      int qubits[3], count = 0;
      for (uint32_t rest = left; rest && count < most; rest &= rest - 1) {
        const int q = __builtin_ctz(rest);
        if (!independent.add(frame_.axes[q].flip)) continue;
        axes[count] = frame_.axes[q];
        qubits[count++] = q;
      }
      if (count == 0) {  // only flips within vectors are left, or flips that are dependent but for the lane
        qubits[0] = __builtin_ctz(left);
        axes[0] = frame_.axes[qubits[0]];
        left &= left - 1;
      }
      for (int k = 0; k < count; ++k) left &= ~(1u << qubits[k]);
      group(count, axes, qubits);
    }
  }

  // Brings the frame's last qubits back to the bits of the lane, so that most passes exchange no lanes. Not
  // possible where flipping one of them leaves the vector; all passes work in any frame.
  void sort_lanes(bool with_lambda) {
    const int lane_bits = space_.psi.lane_bits, n = plan_.num_qubits;
    const uint32_t lanes = space_.psi.lane_mask();
    Axis axes[8];
    bool sorted = true;
    for (int bit = 0; bit < lane_bits; ++bit) {
      const Axis& axis = axes[bit] = frame_.axes[n - 1 - bit];
      if (axis.flip & ~lanes) return;
      sorted &= axis.flip == 1u << bit && axis.row == 1u << bit && axis.one == 0;
    }
    if (sorted) return;
    qjax::sort_lanes<T>(space_.psi, axes);
    if (with_lambda) qjax::sort_lanes<T>(space_.lambda, axes);
    for (int q = 0; q < n - lane_bits; ++q) {
      frame_.axes[q].flip &= ~lanes;
      frame_.axes[q].row &= ~lanes;
    }
    for (int bit = 0; bit < lane_bits; ++bit) frame_.axes[n - 1 - bit] = {1u << bit, 1u << bit, 0};
  }

  // Whether an axis is a bit of the lane.
  bool is_lane_bit(const Axis& axis) const {
    return axis.flip == axis.row && axis.one == 0 && axis.flip <= space_.psi.lane_mask() &&
           (axis.flip & (axis.flip - 1)) == 0;
  }

  // The chains on bits of the lane, which one pass takes together, and the qubits of the others.
  struct InLanes {
    const Chain* chains[4];
    uint32_t bits[4];
    int count = 0;
    uint32_t others = 0;
  };

  InLanes in_lanes(const std::vector<Chain>& chains) const {
    InLanes out;
    for (const Chain& chain : chains) {
      const Axis& axis = frame_.axes[chain.qubit];
      if (is_lane_bit(axis)) {
        out.bits[out.count] = axis.flip;
        out.chains[out.count++] = &chain;
      } else {
        out.others |= 1u << chain.qubit;
      }
    }
    return out;
  }

  void apply_in_lanes(const State<T>& state, const InLanes& lanes) {
    Matrix<T> u[4];
    for (int k = 0; k < lanes.count; ++k) u[k] = space_.matrices[lanes.chains[k]->qubit];
    switch (lanes.count) {
      case 1: return qjax::apply_in_lanes<T, 1>(state, lanes.bits, u);
      case 2: return qjax::apply_in_lanes<T, 2>(state, lanes.bits, u);
      case 3: return qjax::apply_in_lanes<T, 3>(state, lanes.bits, u);
      case 4: return qjax::apply_in_lanes<T, 4>(state, lanes.bits, u);
      default: return;
    }
  }

  void overlaps_in_lanes(const InLanes& lanes, Bloch<T>* overlaps) {
    switch (lanes.count) {
      case 1: return qjax::overlaps_in_lanes<T, 1>(space_.psi, space_.lambda, lanes.bits, overlaps);
      case 2: return qjax::overlaps_in_lanes<T, 2>(space_.psi, space_.lambda, lanes.bits, overlaps);
      case 3: return qjax::overlaps_in_lanes<T, 3>(space_.psi, space_.lambda, lanes.bits, overlaps);
      case 4: return qjax::overlaps_in_lanes<T, 4>(space_.psi, space_.lambda, lanes.bits, overlaps);
      default: return;
    }
  }

  void apply_layer(const std::vector<Chain>& chains) {
    sort_lanes(false);
    const InLanes lanes = in_lanes(chains);
    apply_in_lanes(space_.psi, lanes);
    in_groups(lanes.others, kForwardGroup, [&](int count, const Axis* axes, const int* qubits) {
      Matrix<T> u[3];
      for (int k = 0; k < std::max(count, 1); ++k) u[k] = space_.matrices[qubits[k]];
      switch (count) {
        case 0: return lane_matrix<T>(space_.psi, axes[0], u[0]);
        case 1: return apply_group<T, 1>(space_.psi, axes, u);
        case 2: return apply_group<T, 2>(space_.psi, axes, u);
        default: return apply_group<T, 3>(space_.psi, axes, u);
      }
    });
  }

  Bloch<T> overlaps_of(int qubit) const {
    const uint32_t q = 1u << qubit;
    return {overlap<T>(space_.psi, space_.lambda, Pauli(frame_, q, 0)),
            overlap<T>(space_.psi, space_.lambda, Pauli(frame_, q, q)),
            overlap<T>(space_.psi, space_.lambda, Pauli(frame_, 0, q))};
  }

  // Undoes the steps from the last one down to `first`, and adds gradients on the way.
  void backward(const std::vector<Step>& steps, size_t first, int64_t param_shift, int64_t feature_shift) {
    for (size_t index = steps.size(); index-- > first;) {
      const Step& step = steps[index];
      switch (step.kind) {
        case Step::kLayer:
          undo_layer(step, param_shift, feature_shift);
          break;
        case Step::kRotation: {
          const Pauli pauli(frame_, step.x, step.z);
          if (wanted(step.angle))
            add(step.angle, param_shift, feature_shift, overlap<T>(space_.psi, space_.lambda, pauli));
          const auto [sine, cosine] = half_turn(step.angle, param_shift, feature_shift);
          rotate<T>(space_.psi, pauli, cosine, -sine);
          rotate<T>(space_.lambda, pauli, cosine, -sine);
          break;
        }
        case Step::kPhase:
          break;  // no expectation value depends on it
        case Step::kDense:
          dense(space_.psi, step, true);
          dense(space_.lambda, step, true);
          break;
        case Step::kLoop:
          for (int64_t t = step.times - 1; t >= 0; --t)
            backward(step.body, 0, param_shift + t * step.param_stride, feature_shift + t * step.feature_stride);
          break;
        default:
          permute(step);
      }
    }
  }

  void undo_layer(const Step& step, int64_t param_shift, int64_t feature_shift) {
    for (const Chain& chain : step.chains)
      space_.matrices[chain.qubit] = inverse(chain_matrix(chain, param_shift, feature_shift));
    const Chain* chain_of[kMaxQubits];
    for (const Chain& chain : step.chains) chain_of[chain.qubit] = &chain;
    sort_lanes(true);
    const InLanes lanes = in_lanes(step.chains);
    Bloch<T> lane_overlaps[4];
    overlaps_in_lanes(lanes, lane_overlaps);
    for (int k = 0; k < lanes.count; ++k)
      chain_gradient(*lanes.chains[k], param_shift, feature_shift, lane_overlaps[k]);
    apply_in_lanes(space_.psi, lanes);
    apply_in_lanes(space_.lambda, lanes);
    in_groups(lanes.others, kAdjointGroup, [&](int count, const Axis* axes, const int* qubits) {
      Matrix<T> u[3];
      Bloch<T> overlaps[3];
      for (int k = 0; k < std::max(count, 1); ++k) u[k] = space_.matrices[qubits[k]];
      switch (count) {
        case 0:
          overlaps[0] = overlaps_of(qubits[0]);
          lane_matrix<T>(space_.psi, axes[0], u[0]);
          lane_matrix<T>(space_.lambda, axes[0], u[0]);
          break;
        case 1: adjoint_group<T, 1>(space_.psi, space_.lambda, axes, u, overlaps); break;
        default: adjoint_group<T, 2>(space_.psi, space_.lambda, axes, u, overlaps);
      }
      for (int k = 0; k < std::max(count, 1); ++k)
        chain_gradient(*chain_of[qubits[k]], param_shift, feature_shift, overlaps[k]);
    });
  }

  // The overlap with a factor's generator, pulled back through the factors after it.
  void chain_gradient(const Chain& chain, int64_t param_shift, int64_t feature_shift, Bloch<T> b) {
    for (auto it = chain.factors.rbegin(); it != chain.factors.rend(); ++it) {
      if (it->kind == Factor::kFixed) {
        V out[3];
        for (int a = 0; a < 3; ++a)
          out[a] = b.x * T(it->bloch[a]) + b.y * T(it->bloch[3 + a]) + b.z * T(it->bloch[6 + a]);
        b = {out[0], out[1], out[2]};
        continue;
      }
      if (wanted(it->angle))
        add(it->angle, param_shift, feature_shift,
            it->kind == Factor::kX ? b.x : it->kind == Factor::kY ? b.y : b.z);
      if (std::next(it) == chain.factors.rend()) break;
      const auto [s, c] = half_turn(it->angle, param_shift, feature_shift);
      const V cosine = c * c - s * s, sine = s * c + s * c;
      if (it->kind == Factor::kX)
        b = {b.x, cosine * b.y + sine * b.z, cosine * b.z - sine * b.y};
      else if (it->kind == Factor::kY)
        b = {cosine * b.x - sine * b.z, b.y, cosine * b.z + sine * b.x};
      else
        b = {cosine * b.x + sine * b.y, cosine * b.y - sine * b.x, b.z};
    }
  }

  bool wanted(const Angle& angle) const {
    return (params_wanted_ && angle.param >= 0) || (features_wanted_ && angle.feature >= 0);
  }

  bool wanted(const Step& step) const {
    auto in_chain = [&](const Chain& chain) {
      return std::any_of(chain.factors.begin(), chain.factors.end(),
                         [&](const Factor& factor) { return wanted(factor.angle); });
    };
    return (step.kind == Step::kRotation && wanted(step.angle)) ||
           std::any_of(step.chains.begin(), step.chains.end(), in_chain) ||
           std::any_of(step.body.begin(), step.body.end(), [&](const Step& inner) { return wanted(inner); });
  }

  // Lanes hold parts of d<O>/d(angle); the chain rule takes them on to parameters and features.
  void add(const Angle& angle, int64_t param_shift, int64_t feature_shift, V slope) {
    const int64_t p = angle.param + param_shift, f = angle.feature + feature_shift;
    if (params_wanted_ && angle.param >= 0 && angle.feature < 0 && rows_.shared_param_gradients) {
      double sum = 0;
      for (int l = 0; l < kWidth; ++l) sum += slope[l];
      rows_.param_gradients[0][p] += angle.scale * sum;
      return;
    }
    for (int l = 0; l < kWidth; ++l) {
      const double scaled = angle.scale * double(slope[l]);
      if (params_wanted_ && angle.param >= 0)
        rows_.param_gradients[l][p] += scaled * (angle.feature < 0 ? 1.0 : double(rows_.features[l][f]));
      if (features_wanted_ && angle.feature >= 0)
        rows_.feature_gradients[l][f] += scaled * (angle.param < 0 ? 1.0 : double(rows_.params[l][p]));
    }
  }

  const Plan& plan_;
  Workspace<T>& space_;
  const Rows<T>& rows_;
  Frame frame_;
  bool params_wanted_, features_wanted_;
  bool is_product_ = true;
  Amp<T> phase_{V{} + 1, V{}};
};

}  // namespace qjax
