// Runs the native kernel on tables of circuits and on mutations of them; built with sanitizers by a test.
//
// Usage: native_fuzz FILE MUTATIONS SEED. The file holds tables: two int64 sizes, int32 words, float64 constants.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "grid.h"

using namespace qjax;

namespace {

constexpr int kLargestRun = 8;  // qubits
constexpr double kLongestRun = 500;

const Threads kTwo{[](std::function<void()> task) { std::thread(std::move(task)).detach(); }, 2};

template <class T>
std::vector<T> numbers(std::mt19937& random, size_t count) {
  std::normal_distribution<double> normal;
  std::vector<T> out(count);
  for (T& value : out) value = T(normal(random));
  return out;
}

bool are_close(const auto& a, const auto& b) {
  const double tolerance = sizeof(a[0]) == 4 ? 1e-3 : 1e-9;
  for (size_t k = 0; k < a.size(); ++k)
    if (!(std::fabs(a[k] - b[k]) <= tolerance * (1 + std::fabs(b[k])) || (std::isnan(a[k]) && std::isnan(b[k])))) return false;
  return true;
}

// Values and slopes in one go against values alone and gradients that are summed by themselves.
template <class T>
bool agrees(const Plan& plan, const std::vector<int64_t>& grid, const Rowed& p, const Rowed& f,
            const std::vector<T>& values) {
  const size_t count = grid[0] * grid[1];
  const T one = 1;
  std::vector<T> beside(count), slopes[2], gradients[2];
  const int lengths[2] = {plan.num_params, plan.num_features};
  for (int k = 0; k < 2; ++k) slopes[k].resize(count * lengths[k]), gradients[k].resize(count * lengths[k]);
  differentiate<T>(plan, grid, p, f, beside.data(), slopes[0].data(), slopes[1].data(), kTwo);
  pull_back<T>(plan, grid, p, f, {&one, {1, 1}}, gradients[0].data(), grid, gradients[1].data(), grid, kTwo);
  return are_close(beside, values) && are_close(slopes[0], gradients[0]) && are_close(slopes[1], gradients[1]);
}

// Sets that differ from one another in a number each, all at once against each by itself.
template <class T>
bool begin_alike(const Plan& plan, std::mt19937& random, int64_t sets, int64_t samples, int& shared) {
  const size_t length = plan.num_params, rows = samples * plan.num_observables;
  auto params = numbers<T>(random, length);
  for (int64_t set = 1; set < sets; ++set) {
    params.insert(params.end(), params.begin(), params.begin() + length);
    if (length > 0) params[set * length + random() % length] += T(1);
  }
  const auto features = numbers<T>(random, samples * plan.num_features);
  const Rowed p{params.data(), {sets, 1}}, f{features.data(), {1, samples}};
  std::vector<T> together(sets * rows), alone(sets * rows);
  evaluate<T>(plan, {sets, samples}, p, f, together.data(), kTwo);
  for (int64_t set = 0; set < sets; ++set)
    evaluate<T>(plan, {1, samples}, {params.data() + set * length, {1, 1}}, f, alone.data() + set * rows, kTwo);
  shared += Grid<T>(plan, {sets, samples}, p, f, false, false, kTwo).keeps_prefixes();
  return are_close(together, alone);
}

// Everything that the kernel offers, with arrays of just the size that they must have.
template <class T>
bool run(const Plan& plan, std::mt19937& random, int64_t sets, int64_t samples) {
  const std::vector<int64_t> grid{sets, samples};
  const auto params = numbers<T>(random, sets * plan.num_params), features = numbers<T>(random, samples * plan.num_features);
  const auto cotangents = numbers<T>(random, sets * samples * plan.num_observables);
  const Rowed p{params.data(), {sets, 1}}, f{features.data(), {1, samples}}, c{cotangents.data(), {sets, samples}};
  std::vector<T> values(cotangents.size()), param_gradients(params.size()), feature_gradients(features.size());
  std::vector<T> states(size_t(2 * sets * samples) << plan.num_qubits), squares(states.size() / 2);
  evaluate<T>(plan, grid, p, f, values.data(), kTwo);
  pull_back<T>(plan, grid, p, f, c, param_gradients.data(), {sets, 1}, feature_gradients.data(), {1, samples}, kTwo);
  if (plan.num_observables == 1 && !agrees(plan, grid, p, f, values)) return false;
  read_states<T>(plan, grid, p, f, false, states.data(), kTwo);
  read_states<T>(plan, grid, p, f, true, squares.data(), kTwo);
  double norm = 0;
  for (T square : squares) norm += square;
  return std::fabs(norm / double(sets * samples) - 1) < 1e-3;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::FILE* file = std::fopen(argv[1], "rb");
  if (!file) return 2;
  std::mt19937 random(std::atoi(argv[3]));
  int accepted = 0, rejected = 0, shared = 0;
  for (int64_t sizes[2]; std::fread(sizes, sizeof(int64_t), 2, file) == 2;) {
    std::vector<int32_t> words(sizes[0]);
    std::vector<double> constants(sizes[1]);
    if (std::fread(words.data(), sizeof(int32_t), words.size(), file) != words.size()) return 2;
    if (std::fread(constants.data(), sizeof(double), constants.size(), file) != constants.size()) return 2;
    const Plan plan = decode({words.data(), words.size(), constants.data(), constants.size()});
    for (const auto& [sets, samples] : {std::pair<int64_t, int64_t>{1, 1}, {2, 3}, {1, 37}, {5, 2}})
      if (!run<float>(plan, random, sets, samples) || !run<double>(plan, random, sets, samples)) {
        std::puts("a state is not normalised, or values and slopes are not those taken apart");
        return 1;
      }
    if (!begin_alike<float>(plan, random, 40, 16, shared) || !begin_alike<double>(plan, random, 40, 19, shared)) {
      std::puts("sets that begin alike differ from what each gives by itself");
      return 1;
    }
    const int32_t odd[] = {-1, 0, 1, 2, 7, 31, INT32_MAX, INT32_MIN};
    for (int k = 0; k < std::atoi(argv[2]); ++k) {
      std::vector<int32_t> mutated = words;
      for (int times = 1 + random() % 3; times > 0; --times)
        mutated[random() % mutated.size()] = random() % 2 ? odd[random() % 8] : int32_t(random() % 64);
      if (random() % 4 == 0) mutated.resize(random() % (mutated.size() + 1));
      std::vector<double> fewer(constants.begin(), constants.end() - random() % 2);
      try {
        const Plan other = decode({mutated.data(), mutated.size(), fewer.data(), fewer.size()});
        ++accepted;
        if (other.num_qubits <= kLargestRun && other.operations <= kLongestRun && other.num_params <= 100 &&
            other.num_features <= 100 && other.num_observables <= 100)
          run<float>(other, random, 1, 2);
      } catch (const TableError&) {
        ++rejected;
      }
    }
  }
  std::printf("%d accepted, %d rejected, %d with prefixes\n", accepted, rejected, shared);
  return accepted > 0 && rejected > 0 && shared > 0 ? 0 : 1;
}
