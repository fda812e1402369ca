// Prints the rate of float32 fused multiply-adds that a core reaches, in GFLOP/s: independent chains of
// vectors that stay in registers.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#if defined(__AVX512F__)
constexpr int kBytes = 64, kChains = 16;
#elif defined(__AVX__)
constexpr int kBytes = 32, kChains = 12;
#else
constexpr int kBytes = 16, kChains = 12;
#endif
typedef float Vector __attribute__((vector_size(kBytes)));

int main(int, char** arguments) {
  const double seconds = std::atof(arguments[1]);
  const float start = std::atof(arguments[2]);  // unknown to the compiler
  const Vector factor = Vector{} + start, term = Vector{} + (1 - start);
  Vector chain[kChains];
  for (auto& value : chain) value = factor;
  double best = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> spent{};
  while (spent.count() < seconds) {
    const auto before = std::chrono::steady_clock::now();
    constexpr long kSteps = 200000;
    for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 16
      for (int c = 0; c < kChains; ++c) chain[c] = chain[c] * factor + term;
    }
    const auto after = std::chrono::steady_clock::now();
    const std::chrono::duration<double> took = after - before;
    const double rate = 2.0 * kSteps * kChains * (kBytes / 4) / took.count() / 1e9;
    if (rate > best) best = rate;
    spent = after - begin;
  }
  float sum = 0;
  for (const auto& value : chain) sum += value[0];
  std::printf("%g %g\n", best, sum);
}
