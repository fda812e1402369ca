#include "parallel.h"

namespace qjax {
namespace {

struct Job {
  std::mutex mutex;
  std::condition_variable idle;
  int running = 0;
  bool closed = false;
  std::exception_ptr failure;
  std::atomic<int64_t> next{0};
  int64_t blocks;
  const std::function<void(const std::function<int64_t()>&)>* work;

  void run() noexcept {
    try {
      (*work)([this] {
        const int64_t block = next.fetch_add(1);
        return block < blocks ? block : -1;
      });
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }
};

}  // namespace

void share(const Submit& submit, int helpers, int64_t blocks,
           const std::function<void(const std::function<int64_t()>&)>& work) {
  auto job = std::make_shared<Job>();  // shared: a task may begin after the caller has gone
  job->blocks = blocks;
  job->work = &work;
  for (int h = 0; h < helpers; ++h)
    submit([job] {
      {
        std::lock_guard lock(job->mutex);
        if (job->closed) return;
        ++job->running;
      }
      job->run();
      std::lock_guard lock(job->mutex);
      if (--job->running == 0) job->idle.notify_all();
    });
  job->run();
  std::unique_lock lock(job->mutex);
  job->closed = true;
  job->idle.wait(lock, [&] { return job->running == 0; });
  if (job->failure) std::rethrow_exception(job->failure);
}

}  // namespace qjax
