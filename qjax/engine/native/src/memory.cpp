#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <new>
#include <stdexcept>
#include <vector>

namespace qjax {
namespace {

// Large states are put on the system's large pages.
constexpr std::align_val_t kPage{4096}, kLargePage{size_t(2) << 20};
constexpr size_t kLarge = size_t(4) << 20;

double physical_memory() {
  static const double bytes = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGE_SIZE));
  return bytes;
}

struct Kept {
  char* data;
  size_t size;
};

constexpr size_t kMaxBuffers = 16;

struct Store {
  std::mutex mutex;
  std::vector<Kept> buffers;
  size_t total = 0;
  // Clearing the pages of a large state anew takes as long as some passes over it.
  const size_t most = std::clamp(size_t(physical_memory() / 16), size_t(1) << 28, size_t(1) << 30);
  Store() { buffers.reserve(kMaxBuffers); }  // so that giving back never fails
};

Store& store() {
  static Store& instance = *new Store;  // leaked on purpose: handlers may run while the process ends
  return instance;
}

}  // namespace

Buffer::Buffer(size_t size) : data_(nullptr), size_(size) {
  Store& kept = store();
  {
    std::lock_guard lock(kept.mutex);
    for (auto it = kept.buffers.begin(); it != kept.buffers.end(); ++it)
      if (it->size >= size && it->size / 4 <= size) {
        data_ = it->data;
        size_ = it->size;
        kept.total -= it->size;
        kept.buffers.erase(it);
        return;
      }
  }
  data_ = static_cast<char*>(::operator new(size, size < kLarge ? kPage : kLargePage));
#if defined(MADV_HUGEPAGE)
  if (size >= kLarge) madvise(data_, size, MADV_HUGEPAGE);
#endif
}

Buffer::~Buffer() {
  Store& kept = store();
  {
    std::lock_guard lock(kept.mutex);
    if (size_ <= kept.most - kept.total && kept.buffers.size() < kMaxBuffers) {
      kept.buffers.push_back({data_, size_});
      kept.total += size_;
      return;
    }
  }
  ::operator delete(data_, size_ < kLarge ? kPage : kLargePage);
}

bool fits_memory(double bytes) { return bytes <= 0.9 * physical_memory(); }

void check_memory(double bytes) {
  if (fits_memory(bytes)) return;
  char message[200];
  std::snprintf(message, sizeof(message),
                "The circuit's states need %.3g GB and the machine has %.3g GB. Use fewer qubits or single precision.",
                bytes / 1e9, physical_memory() / 1e9);
  throw std::runtime_error(message);
}

}  // namespace qjax
