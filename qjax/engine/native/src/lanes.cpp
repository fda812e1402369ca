#include "lanes.h"

namespace qjax {

bool LaneQubits::are_sorted(const Frame& frame) const {
  const uint32_t lanes = (1u << bits_) - 1;
  for (int bit = 0; bit < bits_; ++bit) {
    const Axis& axis = frame.axes[qubits_[bit]];
    if (axis.flip != 1u << bit || axis.row != 1u << bit || axis.one) return false;
  }
  for (int q = 0; q < num_qubits_; ++q)
    if (bit_of(q) < 0 && frame.axes[q].flip & lanes) return false;
  return true;
}

void LaneQubits::sort(Frame& frame, std::vector<String>& waiting, Pass& pass) const {
  const uint32_t lanes = (1u << bits_) - 1;
  pass.sorts = true;
  LaneSort &sort = pass.sort, &unsort = pass.unsort;
  sort = unsort = {};
  for (int l = 0; l < 1 << bits_; ++l) {
    uint32_t from = 0;
    for (int k = 0; k < bits_; ++k)
      if (l >> k & 1) from ^= frame.axes[qubits_[k]].flip;
    sort.order[l] = uint8_t(from);
    unsort.order[from] = uint8_t(l);
  }
  // The lane on which all lane qubits read zero, as a function of the vector.
  for (int k = 0; k < bits_; ++k) {
    const Axis& axis = frame.axes[qubits_[k]];
    const uint32_t row = axis.row >> bits_;
    for (int j = 0; j < bits_; ++j)
      if (axis.flip >> j & 1) sort.rows[j] ^= row;
    unsort.rows[k] ^= row;
    if (axis.one) sort.start ^= axis.flip, unsort.start ^= 1u << k;
  }
  auto moved = [&](uint32_t& row, uint8_t* one) {
    uint32_t out = row & ~lanes;
    for (int j = 0; j < bits_; ++j) {
      if (row >> j & 1) {
        out ^= sort.rows[j] << bits_;
        if (one) *one ^= sort.start >> j & 1;
      }
      if (parity(row & lanes & sort.order[1 << j])) out ^= 1u << j;
    }
    row = out;
  };
  for (String& s : waiting) moved(s.row, &s.one);
  for (int q = 0; q < num_qubits_; ++q)
    if (bit_of(q) < 0) frame.axes[q].flip &= ~lanes;
  for (int bit = 0; bit < bits_; ++bit) frame.axes[qubits_[bit]] = {1u << bit, 1u << bit, 0};
}

void find_sort_offsets(Pass& pass) {
  if (!pass.sorts) return;
  for (uint32_t offset : pass.offsets) {
    pass.sort_offsets.push_back(uint8_t(pass.sort.first(offset) ^ pass.sort.start));
    pass.unsort_offsets.push_back(uint8_t(pass.unsort.first(offset) ^ pass.unsort.start));
  }
}

}  // namespace qjax
