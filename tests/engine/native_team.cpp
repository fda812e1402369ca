// Teams of threads that begin, share a few pieces of work and end, one after the other on one pool.
//
// Usage: native_team TEAMS HELPERS. Built with the thread sanitizer by a test. A team that never ends shows as a hang.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "parallel.h"

namespace {

class Pool {
 public:
  explicit Pool(int size) {
    for (int k = 0; k < size; ++k) threads_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      ends_ = true;
    }
    news_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void submit(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    news_.notify_one();
  }

 private:
  void work() {
    for (std::unique_lock lock(mutex_);;) {
      news_.wait(lock, [this] { return ends_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::function<void()>> tasks_;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const long teams = std::atol(argv[1]);
  const int helpers = std::atoi(argv[2]);
  constexpr long kEvery = long(qjax::Team::kParts) * (qjax::Team::kParts - 1) / 2;  // the sum of all parts' numbers
  Pool pool(helpers);
  const qjax::Submit submit = [&](std::function<void()> task) { pool.submit(std::move(task)); };
  for (long k = 0; k < teams; ++k) {
    const long pieces = k % 3;  // also none: the team ends while its helpers begin
    std::atomic<long> sum{0};
    {
      qjax::Team team(submit, helpers);
      if (k % 2) std::this_thread::yield();  // where there is one core, helpers would begin too late otherwise
      for (long piece = 0; piece < pieces; ++piece) team.run([&](uint32_t part) { sum += part; });
    }
    if (sum != pieces * kEvery) {
      std::printf("team %ld: parts add up to %ld instead of %ld\n", k, sum.load(), pieces * kEvery);
      return 1;
    }
  }
  return 0;
}
