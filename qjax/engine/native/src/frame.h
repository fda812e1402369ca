// Where amplitudes are: permutations by x, cx and swap change addresses and move nothing.
//
// The amplitude of basis state x lies at y = A x + b over GF(2). Column q of A is what flipping qubit q does to
// the address; row q of the inverse of A has the parity that qubit q reads off the address. The low bits of
// an address are the lane within a vector, the others the vector.
#pragma once

#include <cstdint>
#include <utility>

#include "vec.h"

namespace qjax {

// A qubit, or anything that behaves like one: `flip` toggles it, `parity(row & y) ^ one` is its value.
struct Axis {
  uint32_t flip, row, one;
};

struct Frame {
  int num_qubits;
  Axis axes[32];

  // Strides that are powers of two would fall on few sets of the caches, so upper bits of a vector's number
  // toggle lower ones as well: those that choose a set of the first cache, and of the second.
  Frame(int n, int lane_bits) : num_qubits(n) {
    for (int q = 0; q < n; ++q) axes[q] = {1u << (n - 1 - q), 1u << (n - 1 - q), 0};
    const auto qubit = [&](int bit) { return n - 1 - lane_bits - bit; };
    constexpr int kSets = 5;
    for (int bit = n - lane_bits - 1; bit >= kSets; --bit) {
      controlled_flip(qubit(bit), qubit(bit % kSets));
      if (bit >= 2 * kSets) controlled_flip(qubit(bit), qubit(kSets + bit % kSets));
    }
  }

  // All three are their own inverses.
  void flip(int q) { axes[q].one ^= 1; }
  void controlled_flip(int control, int target) {
    axes[control].flip ^= axes[target].flip;
    axes[target].row ^= axes[control].row;
    axes[target].one ^= axes[control].one;
  }
  void exchange(int a, int b) { std::swap(axes[a], axes[b]); }

  uint32_t flips(uint32_t mask) const {
    uint32_t out = 0;
    for (; mask; mask &= mask - 1) out ^= axes[__builtin_ctz(mask)].flip;
    return out;
  }
  uint32_t row(uint32_t mask) const {
    uint32_t out = 0;
    for (; mask; mask &= mask - 1) out ^= axes[__builtin_ctz(mask)].row;
    return out;
  }
  uint32_t one(uint32_t mask) const {
    uint32_t out = 0;
    for (; mask; mask &= mask - 1) out ^= axes[__builtin_ctz(mask)].one;
    return out;
  }
};

// Collects flips that are independent of each other.
class Independent {
 public:
  bool add(uint32_t flip) {
    for (int k = 0; k < count_; ++k)
      if (flip >> pivots_[k] & 1) flip ^= basis_[k];
    if (flip == 0) return false;
    pivots_[count_] = 31 - __builtin_clz(flip);
    basis_[count_++] = flip;
    return true;
  }
  int count() const { return count_; }
  uint32_t operator[](int k) const { return basis_[k]; }
  // Bits that tell the flips apart: with the other bits' units they span all.
  uint32_t pivots() const {
    uint32_t out = 0;
    for (int k = 0; k < count_; ++k) out |= 1u << pivots_[k];
    return out;
  }

 private:
  int count_ = 0;
  int pivots_[32];
  uint32_t basis_[32];
};

// Writes directions as sums of given ones, and adds up what belongs to those.
class Coordinates {
 public:
  // Independent of those before.
  void add(uint32_t direction, uint32_t value) {
    value ^= reduce(direction);
    pivots_[count_] = 31 - __builtin_clz(direction);
    basis_[count_] = direction;
    values_[count_++] = value;
  }
  uint32_t of(uint32_t direction) const { return reduce(direction); }

 private:
  uint32_t reduce(uint32_t& direction) const {
    uint32_t out = 0;
    for (int k = 0; k < count_; ++k)
      if (direction >> pivots_[k] & 1) direction ^= basis_[k], out ^= values_[k];
    return out;
  }

  int count_ = 0;
  int pivots_[32];
  uint32_t basis_[32], values_[32];
};

// Walks over the vectors of a state in sets of 2^K that K axes couple, in Gray-code order: each set is one XOR
// away from the one before. `offsets[g]` leads from a set's first member (all axes at zero, on lane 0) to
// the member with the axes at g. An address's lane bits say by which exchange of lanes a vector is read.
template <int K>
struct Cosets {
  uint32_t offsets[1 << K];
  uint32_t columns[32];
  uint32_t first = 0;
  uint32_t count;
  bool exchanges_lanes = false;

  Cosets(const Axis* axes, int num_qubits, int lane_bits) {
    Independent independent;
    for (int k = 0; k < K; ++k) independent.add(axes[k].flip >> lane_bits);
    const uint32_t pivots = independent.pivots();
    const uint32_t lanes = (1u << lane_bits) - 1;
    uint32_t seen = 0;
    for (int g = 0; g < 1 << K; ++g) {
      offsets[g] = 0;
      for (int k = 0; k < K; ++k)
        if (g >> k & 1) offsets[g] ^= axes[k].flip;
      seen |= offsets[g];
    }
    for (int k = 0; k < K; ++k)
      if (axes[k].one) first ^= axes[k].flip;
    seen |= first;
    int free = 0;
    for (int bit = 0; bit < num_qubits - lane_bits; ++bit) {
      if (pivots >> bit & 1) continue;
      uint32_t column = 1u << (bit + lane_bits);
      for (int k = 0; k < K; ++k)
        if (axes[k].row >> (bit + lane_bits) & 1) column ^= axes[k].flip;
      seen |= column;
      columns[free++] = column;
    }
    count = 1u << free;
    columns[free] = 0;
    exchanges_lanes = (seen & lanes) != 0;
  }

  uint32_t after(uint32_t base, uint32_t index) const { return base ^ columns[__builtin_ctz(index + 1)]; }
};

}  // namespace qjax
