// Work shared between the calling thread and a pool.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace qjax {

using Submit = std::function<void(std::function<void()>)>;

// Waits actively for a moment: to fall asleep and to be woken takes longer than many a piece of work does.
template <class Done>
bool spin(const Done& done) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::microseconds kMoment{100};
  for (const auto end = Clock::now() + kMoment; !done();) {
    if (Clock::now() > end) return false;
    for (int k = 0; k < 8 && !done(); ++k) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }
  return true;
}

// Gives the results of blocks their turn in order, so that sums do not depend on which thread was faster.
// Only blocks that run already are waited for.
class Turns {
 public:
  void wait_for(int64_t block) {
    if (spin([&] { return next_.load(std::memory_order_acquire) == block; })) return;
    for (int64_t now; (now = next_.load(std::memory_order_acquire)) != block;) next_.wait(now);
  }
  void done(int64_t block) {
    next_.store(block + 1, std::memory_order_release);
    next_.notify_all();
  }

 private:
  std::atomic<int64_t> next_{0};
};

// Calls work(claim) on the caller and on up to `helpers` tasks of the pool; `claim` gives out block numbers in
// order, -1 at the end. Returns when nobody works any more, without waiting for tasks that have not begun.
// An exception in a task would end the process, so the first one is caught and thrown to the caller.
void share(const Submit& submit, int helpers, int64_t blocks,
           const std::function<void(const std::function<int64_t()>&)>& work);

// Threads that go through one piece of work after the other together. Every piece falls into the same number of
// parts, so that what is summed over parts does not depend on who took which.
class Team {
 public:
  static constexpr uint32_t kParts = 16;
  using Part = std::function<void(uint32_t)>;

  Team(const Submit& submit, int helpers);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Calls part(0) to part(kParts - 1), which must not throw, and returns when all are done.
  void run(const Part& part);

 private:
  struct Job;
  std::shared_ptr<Job> job_;  // shared: a helper may begin after the team has gone
};

}  // namespace qjax
