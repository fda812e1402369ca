#include "parallel.h"

#include <algorithm>

namespace qjax {
namespace {

// Threads that have just helped stay for a moment: the next call finds them awake.
struct Desk {
  std::mutex mutex;
  int waiting = 0;             // threads that are there and not called
  int called = 0;              // threads that have not taken the task yet
  std::function<void()> task;
  std::atomic<uint32_t> calls{0};
};

Desk& desk() {
  static Desk& instance = *new Desk;  // leaked on purpose: helpers may be there while the process ends
  return instance;
}

void help(std::function<void()> task) {
  Desk& here = desk();
  while (task) {
    task();
    task = nullptr;
    uint32_t seen;
    {
      std::lock_guard lock(here.mutex);
      ++here.waiting;
      seen = here.calls.load(std::memory_order_relaxed);
    }
    spin([&] { return here.calls.load(std::memory_order_acquire) != seen; });
    std::lock_guard lock(here.mutex);
    if (here.called > 0) {
      task = here.task;
      if (--here.called == 0) here.task = nullptr;
    } else {  // also where another one took the call: whoever is not needed leaves
      --here.waiting;
    }
  }
}

// Has a task, which must not throw, done by up to so many other threads.
void call_helpers(const Submit& submit, int count, const std::function<void()>& task) {
  Desk& here = desk();
  {
    std::lock_guard lock(here.mutex);
    if (here.called == 0 && here.waiting > 0) {
      here.task = task;
      here.called = std::min(count, here.waiting);
      here.waiting -= here.called;
      count -= here.called;
      here.calls.fetch_add(1, std::memory_order_release);
    }
  }
  for (int h = 0; h < count; ++h) submit([task] { help(task); });
}

struct Job {
  std::mutex mutex;
  std::condition_variable idle;
  std::atomic<int> running{0};
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
  call_helpers(submit, helpers, [job] {
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
  {
    std::lock_guard lock(job->mutex);
    job->closed = true;
  }
  spin([&] { return job->running == 0; });
  std::unique_lock lock(job->mutex);
  job->idle.wait(lock, [&] { return job->running == 0; });
  if (job->failure) std::rethrow_exception(job->failure);
}

struct Team::Job {
  // The number of the piece of work above, of the next part below: one claim takes both.
  std::atomic<uint64_t> ticket{kParts};
  std::atomic<uint32_t> done{0};
  const Part* part = nullptr;
  std::atomic<bool> closed{false};
  std::mutex mutex;
  std::condition_variable idle;
  int running = 0;

  // Takes parts until none is left; returns the piece of work that it saw last.
  uint32_t work() {
    for (;;) {
      const uint64_t claim = ticket.fetch_add(1, std::memory_order_acq_rel);
      if (uint32_t(claim) >= kParts) return uint32_t(claim >> 32);
      (*part)(uint32_t(claim));
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == kParts) done.notify_all();
    }
  }

  void help() {
    for (;;) {
      const uint32_t seen = work();
      // Only now: a team closes before it raises the ticket for the last time, and nothing would follow that.
      if (closed.load(std::memory_order_acquire)) return;
      spin([&] { return uint32_t(ticket.load(std::memory_order_acquire) >> 32) != seen; });
      for (uint64_t now; uint32_t((now = ticket.load(std::memory_order_acquire)) >> 32) == seen;) ticket.wait(now);
    }
  }
};

Team::Team(const Submit& submit, int helpers) : job_(std::make_shared<Job>()) {
  call_helpers(submit, helpers, [job = job_] {
    {
      std::lock_guard lock(job->mutex);
      if (job->closed) return;
      ++job->running;
    }
    job->help();
    std::lock_guard lock(job->mutex);
    if (--job->running == 0) job->idle.notify_all();
  });
}

Team::~Team() {
  {
    std::lock_guard lock(job_->mutex);
    job_->closed = true;
  }
  job_->ticket.store(((job_->ticket.load() >> 32) + 1) << 32 | kParts);
  job_->ticket.notify_all();
  std::unique_lock lock(job_->mutex);
  job_->idle.wait(lock, [&] { return job_->running == 0; });
}

void Team::run(const Part& part) {
  job_->part = &part;
  job_->done.store(0, std::memory_order_relaxed);
  job_->ticket.store(((job_->ticket.load(std::memory_order_relaxed) >> 32) + 1) << 32, std::memory_order_release);
  job_->ticket.notify_all();
  job_->work();
  spin([&] { return job_->done.load(std::memory_order_acquire) == kParts; });
  for (uint32_t now; (now = job_->done.load(std::memory_order_acquire)) < kParts;) job_->done.wait(now);
}

}  // namespace qjax
