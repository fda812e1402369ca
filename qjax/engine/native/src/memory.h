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

// Whether the machine's memory can hold this many bytes.
bool fits_memory(double bytes);

// Throws std::runtime_error where it cannot.
void check_memory(double bytes);

}  // namespace qjax
