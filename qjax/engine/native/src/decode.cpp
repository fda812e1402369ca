// From the flat table to a plan, with every index checked.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <list>
#include <mutex>
#include <optional>
#include <string>

#include "plan.h"

namespace qjax {
namespace {

enum Opcode : int32_t { kRotation = 1, kFixed = 2, kFlip = 3, kControlledFlip = 4, kExchange = 5, kDense = 6, kLoop = 7 };
constexpr int kMaxDepth = 32;

using Complex = std::complex<double>;

// Where the sigma matrices go under conjugation: bloch[3 b + a] = Re tr(sigma_b U sigma_a U^dagger) / 2.
void bloch_rotation(const double* matrix, double* bloch) {
  const Complex i(0, 1);
  const Complex sigma[3][2][2] = {{{0, 1}, {1, 0}}, {{0, -i}, {i, 0}}, {{1, 0}, {0, -1}}};
  Complex u[2][2];
  for (int k = 0; k < 4; ++k) u[k / 2][k % 2] = Complex(matrix[2 * k], matrix[2 * k + 1]);
  for (int a = 0; a < 3; ++a) {
    Complex moved[2][2] = {};
    for (int r = 0; r < 2; ++r)
      for (int c = 0; c < 2; ++c)
        for (int k = 0; k < 2; ++k)
          for (int m = 0; m < 2; ++m) moved[r][c] += u[r][k] * sigma[a][k][m] * std::conj(u[c][m]);
    for (int b = 0; b < 3; ++b) {
      Complex trace = 0;
      for (int r = 0; r < 2; ++r)
        for (int c = 0; c < 2; ++c) trace += sigma[b][r][c] * moved[c][r];
      bloch[3 * b + a] = trace.real() / 2;
    }
  }
}

// How far enclosing loops move an index.
struct Reach {
  int64_t low = 0, high = 0;
  Reach moved(int64_t times, int64_t stride) const {
    const int64_t end = (times - 1) * stride;  // both are int32
    return {low + std::min<int64_t>(0, end), high + std::max<int64_t>(0, end)};
  }
};

class Decoder {
 public:
  explicit Decoder(const Table& table) : table_(table) {}

  Plan decode() {
    if (next() != kTableVersion) throw TableError("the table has another version than the library");
    plan_.num_qubits = bounded(next(), 1, kMaxQubits, "number of qubits");
    plan_.num_params = bounded(next(), 0, INT32_MAX, "number of parameters");
    plan_.num_features = bounded(next(), 0, INT32_MAX, "number of features");
    plan_.num_observables = bounded(next(), 0, INT32_MAX, "number of observables");
    const int32_t length = next();
    if (length < 0 || size_t(length) > table_.num_words - at_) throw TableError("the operations end too late");
    plan_.steps = steps(at_ + length, {}, {}, 0);
    terms();
    if (at_ != table_.num_words) throw TableError("something follows the table's end");
    return std::move(plan_);
  }

 private:
  int32_t next() {
    if (at_ >= table_.num_words) throw TableError("the table ends too early");
    return table_.words[at_++];
  }

  static int32_t bounded(int32_t value, int32_t low, int32_t high, const char* what) {
    if (value < low || value > high) throw TableError(std::string(what) + " out of range");
    return value;
  }

  int qubit() { return bounded(next(), 0, plan_.num_qubits - 1, "qubit"); }

  uint32_t qubit_mask() {
    const uint32_t mask = uint32_t(next());
    if (mask >> plan_.num_qubits) throw TableError("a mask names a qubit that is not there");
    return mask;
  }

  const double* constants(size_t count) {
    const int32_t start = next();
    if (start < 0 || count > table_.num_constants || size_t(start) > table_.num_constants - count)
      throw TableError("constant out of range");
    return table_.constants + start;
  }

  static int32_t index(int32_t value, int32_t count, const Reach& reach, const char* what) {
    if (value == -1) return value;
    if (value < 0 || value + reach.low < 0 || value + reach.high >= count)
      throw TableError(std::string(what) + " out of range");
    return value;
  }

  Angle angle(const Reach& params, const Reach& features) {
    Angle angle;
    angle.param = index(next(), plan_.num_params, params, "parameter");
    angle.feature = index(next(), plan_.num_features, features, "feature");
    const double* numbers = constants(2);
    angle.scale = numbers[0];
    angle.offset = numbers[1];
    return angle;
  }

  std::vector<int> distinct_qubits(int count) {
    std::vector<int> qubits;
    for (int k = 0; k < count; ++k) {
      qubits.push_back(qubit());
      if (std::count(qubits.begin(), qubits.end(), qubits.back()) > 1) throw TableError("a qubit occurs twice");
    }
    return qubits;
  }

  std::vector<Step> steps(size_t end, Reach params, Reach features, int depth) {
    if (depth > kMaxDepth) throw TableError("loops nest too deeply");
    std::vector<Step> out;
    // One-qubit gates wait until a gate couples their qubit to others; then all go as one layer.
    std::vector<std::vector<Factor>> pending(plan_.num_qubits);
    auto flush = [&] {
      Step layer;
      layer.kind = Step::kLayer;
      for (int q = 0; q < plan_.num_qubits; ++q)
        if (!pending[q].empty()) {
          layer.chains.push_back({q, std::move(pending[q])});
          pending[q].clear();
        }
      if (layer.chains.empty()) return;
      out.push_back(std::move(layer));
    };
    auto flush_if_touched = [&](uint32_t mask) {
      for (int q = 0; q < plan_.num_qubits; ++q)
        if (mask >> q & 1 && !pending[q].empty()) return flush();
    };
    while (at_ < end) {
      Step step;
      const int32_t opcode = next();
      switch (opcode) {
        case kRotation: {
          step.kind = Step::kRotation;
          step.x = qubit_mask();
          step.z = qubit_mask();
          step.angle = angle(params, features);
          const uint32_t support = step.x | step.z;
          if (support == 0) {
            step.kind = Step::kPhase;
            break;
          }
          if ((support & (support - 1)) == 0) {
            Factor factor{};
            factor.kind = step.x == 0 ? Factor::kZ : step.z == 0 ? Factor::kX : Factor::kY;
            factor.angle = step.angle;
            pending[__builtin_ctz(support)].push_back(factor);
            continue;
          }
          flush_if_touched(support);
              break;
        }
        case kFixed: {
          const int q = qubit();
          Factor factor{};
          factor.kind = Factor::kFixed;
          std::copy_n(constants(8), 8, factor.matrix);
          bloch_rotation(factor.matrix, factor.bloch);
          pending[q].push_back(factor);
          continue;
        }
        case kFlip:
        case kControlledFlip:
        case kExchange:
          step.kind = opcode == kFlip ? Step::kFlip : opcode == kExchange ? Step::kExchange : Step::kControlledFlip;
          step.qubits = distinct_qubits(opcode == kFlip ? 1 : 2);
          for (int q : step.qubits) flush_if_touched(1u << q);
          break;
        case kDense: {
          step.kind = Step::kDense;
          const int size = bounded(next(), 2, 4, "size of a unitary");
          step.qubits = distinct_qubits(size);
          const size_t entries = size_t(2) << (2 * size);
          const double* matrix = constants(entries);
          step.matrix.assign(matrix, matrix + entries);
          for (int q : step.qubits) flush_if_touched(1u << q);
          plan_.has_dense = true;
              break;
        }
        case kLoop: {
          flush();
          step.kind = Step::kLoop;
          const int32_t length = next();
          step.times = bounded(next(), 1, INT32_MAX, "number of iterations");
          step.param_stride = next();
          step.feature_stride = next();
          if (length < 0 || at_ > end || size_t(length) > end - at_) throw TableError("a loop ends too late");
          step.body = steps(at_ + length, params.moved(step.times, step.param_stride),
                            features.moved(step.times, step.feature_stride), depth + 1);
          break;
        }
        default:
          throw TableError("unknown operation");
      }
      out.push_back(std::move(step));
    }
    if (at_ != end) throw TableError("an operation crosses the end of its loop");
    flush();
    return out;
  }

  void terms() {
    const int32_t count = bounded(next(), 0, INT32_MAX, "number of terms");
    for (int32_t t = 0; t < count; ++t) {
      Term term;
      term.observable = bounded(next(), 0, plan_.num_observables - 1, "observable");
      term.x = qubit_mask();
      term.z = qubit_mask();
      term.coefficient = *constants(1);
      plan_.terms.push_back(term);
    }
    std::stable_sort(plan_.terms.begin(), plan_.terms.end(),
                     [](const Term& a, const Term& b) { return a.x < b.x; });
  }

  const Table& table_;
  size_t at_ = 0;
  Plan plan_;
};

struct CacheEntry {
  int64_t hash;
  std::vector<int32_t> words;
  std::vector<double> constants;
  std::shared_ptr<const Plan> plan;

  bool holds(const Table& table, int64_t wanted) const {
    return hash == wanted && words.size() == table.num_words && constants.size() == table.num_constants &&
           (words.empty() || std::memcmp(words.data(), table.words, words.size() * sizeof(int32_t)) == 0) &&
           (constants.empty() ||
            std::memcmp(constants.data(), table.constants, constants.size() * sizeof(double)) == 0);
  }
};

constexpr size_t kMaxCachedPlans = 64;

}  // namespace

Plan decode(const Table& table) { return Decoder(table).decode(); }

std::shared_ptr<const Plan> cached_plan(const Table& table, int64_t hash) {
  // Leaked on purpose: handlers may still run while the process ends.
  static std::mutex& mutex = *new std::mutex;
  static std::list<CacheEntry>& entries = *new std::list<CacheEntry>;
  {
    std::lock_guard lock(mutex);
    for (auto it = entries.begin(); it != entries.end(); ++it)
      if (it->holds(table, hash)) {
        entries.splice(entries.begin(), entries, it);
        return it->plan;
      }
  }
  auto plan = std::make_shared<const Plan>(decode(table));
  CacheEntry entry{hash, {table.words, table.words + table.num_words},
                   {table.constants, table.constants + table.num_constants}, plan};
  std::lock_guard lock(mutex);
  entries.push_front(std::move(entry));
  if (entries.size() > kMaxCachedPlans) entries.pop_back();
  return plan;
}

}  // namespace qjax
