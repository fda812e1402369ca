// The amplitudes of one vector of circuits.
#pragma once

#include "schedule.h"
#include "vec.h"

namespace qjax {

// What a state is: its amplitudes and how an address is split into vector and lane.
template <class T>
struct State {
  Amp<T>* data;
  int num_qubits, lane_bits;
  uint32_t lane_mask() const { return (1u << lane_bits) - 1; }
  uint32_t num_vectors() const { return 1u << (num_qubits - lane_bits); }

  template <bool kExchange>
  Amp<T> load(uint32_t address) const {
    Amp<T> amp = data[address >> lane_bits];
    if constexpr (kExchange) {
      const uint32_t lanes = address & lane_mask();
      amp.re = exchange<T>(amp.re, lanes);
      amp.im = exchange<T>(amp.im, lanes);
    }
    return amp;
  }
  template <bool kExchange>
  void store(uint32_t address, Amp<T> amp) const {
    if constexpr (kExchange) {
      const uint32_t lanes = address & lane_mask();
      amp.re = exchange<T>(amp.re, lanes);
      amp.im = exchange<T>(amp.im, lanes);
    }
    data[address >> lane_bits] = amp;
  }
};

// Lane l of a sorted vector is lane `order[l] ^ first` of what was stored, circuit by circuit.
template <class T>
typename Lanes<T>::I sort_order(const LaneSort& sort, uint32_t lane_mask) {
  typename Lanes<T>::I order{};
  for (uint32_t l = 0; l < uint32_t(Lanes<T>::kWidth); ++l) order[l] = int(l & ~lane_mask) | sort.order[l & lane_mask];
  return order;
}

}  // namespace qjax
