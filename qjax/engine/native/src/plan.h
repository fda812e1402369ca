// A circuit as the kernel runs it, decoded from the flat table that Python writes (lowering.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace qjax {

inline constexpr int kMaxQubits = 30;
inline constexpr double kMaxOperations = 1 << 21;  // schedules unroll loops
inline constexpr int32_t kTableVersion = 3;

// scale * params[param] * features[feature] + offset; -1 stands for an absent factor.
struct Angle {
  int32_t param = -1, feature = -1;
  double scale = 0, offset = 0;
};

// One factor of a one-qubit unitary: a rotation about an axis, or a constant matrix with its rotation of the
// Bloch sphere (column a is where sigma_a goes).
struct Factor {
  enum Kind : uint8_t { kX, kY, kZ, kFixed } kind;
  Angle angle;
  double matrix[8];
  double bloch[9];
};

// All one-qubit gates on a qubit between two gates that couple it to others, first one first.
struct Chain {
  int qubit;
  std::vector<Factor> factors;
};

struct Step {
  enum Kind : uint8_t { kLayer, kRotation, kPhase, kFlip, kControlledFlip, kExchange, kDense, kLoop } kind;
  std::vector<Chain> chains;      // kLayer
  uint32_t x = 0, z = 0;          // kRotation: qubits with X or Y, and with Z or Y (bit q is qubit q)
  Angle angle;                    // kRotation, kPhase: exp(-i angle / 2) on all amplitudes
  std::vector<int> qubits;        // kFlip, kControlledFlip, kExchange, kDense
  std::vector<double> matrix;     // kDense: row-major, re and im in turn
  std::vector<Step> body;         // kLoop
  int64_t times = 0, param_stride = 0, feature_stride = 0;
};

struct Term {
  int observable;
  uint32_t x, z;
  double coefficient;
};

struct Schedule;

// Schedules of a plan, made when first asked for: one for each way to split addresses.
class Schedules {
 public:
  std::shared_ptr<const Schedule> get(const struct Plan& plan, int lane_bits, bool exact_state) const;

 private:
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Schedule> kept_[5][2];
};

struct Plan {
  int num_qubits = 0, num_params = 0, num_features = 0, num_observables = 0;
  std::vector<Step> steps;
  std::vector<Term> terms;  // sorted by x
  bool has_dense = false;
  double operations = 0;  // with loops unrolled
  std::unique_ptr<const Schedules> schedules = std::make_unique<Schedules>();
};

struct Table {
  const int32_t* words;
  size_t num_words;
  const double* constants;
  size_t num_constants;
};

// A table that does not hold what it should.
struct TableError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Decodes a table. Every index and length is checked: throws TableError, never reads beyond.
Plan decode(const Table& table);

// The plan of a table, from a bounded cache; the bytes are compared, so that no hash can mix up circuits.
std::shared_ptr<const Plan> cached_plan(const Table& table, int64_t hash);

}  // namespace qjax
