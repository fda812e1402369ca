// Workspaces, kept between calls: fresh pages would cost more than a small batch of circuits.
#pragma once

#include <cstddef>

namespace qjax {

// Aligned memory that goes back to a bounded store. Throws std::bad_alloc, and MemoryError beforehand where
// the machine's memory cannot hold it: the system would promise the memory and then end the process.
class Buffer {
 public:
  explicit Buffer(size_t size);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  char* data() const { return data_; }

 private:
  char* data_;
  size_t size_;
};

// Throws std::runtime_error where this many bytes exceed the machine's memory.
void check_memory(double bytes);

}  // namespace qjax
