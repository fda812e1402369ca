// Work shared between the calling thread and a pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace qjax {

using Submit = std::function<void(std::function<void()>)>;

// Gives the results of blocks their turn in order, so that sums do not depend on which thread was faster.
// Only blocks that run already are waited for.
class Turns {
 public:
  void wait_for(int64_t block) {
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

}  // namespace qjax
