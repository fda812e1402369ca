// The qubits within a vector.
#pragma once

#include <vector>

#include "schedule.h"

namespace qjax {

// Which qubits the bits of the lane stand for. Permutations may mix them with the others; passes that work within
// vectors need them sorted: bit k of the lane is qubit k's value, and other qubits leave the lane alone.
class LaneQubits {
 public:
  LaneQubits(int num_qubits, int bits) : num_qubits_(num_qubits), bits_(bits) {
    for (int bit = 0; bit < bits; ++bit) qubits_[bit] = num_qubits - 1 - bit;
  }

  // -1 for a qubit across vectors.
  int bit_of(int qubit) const {
    for (int bit = 0; bit < bits_; ++bit)
      if (qubits_[bit] == qubit) return bit;
    return -1;
  }
  void exchange(int a, int b) {
    for (int bit = 0; bit < bits_; ++bit) qubits_[bit] = qubits_[bit] == a ? b : qubits_[bit] == b ? a : qubits_[bit];
  }
  bool are_sorted(const Frame& frame) const;

  // Makes a pass sort them, and brings the frame and what waits in it to the addresses that follow.
  void sort(Frame& frame, std::vector<String>& waiting, Pass& pass) const;

 private:
  int num_qubits_, bits_;
  int qubits_[4] = {};
};

// What each vector of a block that is sorted adds to its first lane.
void find_sort_offsets(Pass& pass);

}  // namespace qjax
