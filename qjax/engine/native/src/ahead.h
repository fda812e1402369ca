// Asking for what comes next, while arithmetic is at work on what is there.
#pragma once

#include <vector>

#include "state.h"

namespace qjax {

// What a pass asks for: nothing where all is near, its next block, or that and a share of the next tile.
enum class Asks { kNothing, kBlock, kTile };

// The next tile's vectors in order: neighbours first. Each pass over a tile asks for its share of them, a few with
// every vector that it goes through, so that all have come when the tile ends.
template <class T>
class TileAhead {
 public:
  // Two or three passes ask for a half each, four for a quarter: together at least for the whole tile.
  TileAhead(const State<T>& psi, const std::vector<uint32_t>& directions, uint32_t first, int passes)
      : state_(reinterpret_cast<uintptr_t>(psi.data)), directions_(directions), vector_(first),
        shift_(passes >= kMaxSweepPasses ? 2 : 1) {}

  // With 2^shift() of its own vectors a pass asks for one of the tile's.
  int shift() const { return shift_; }

  void take(uint32_t count, uintptr_t* places) {
    for (uint32_t k = 0; k < count; ++k) {
      places[k] = state_ + vector_ * sizeof(Amp<T>);
      const size_t direction = __builtin_ctz(++number_);
      if (direction < directions_.size()) vector_ ^= directions_[direction];
    }
  }

 private:
  uintptr_t state_;
  const std::vector<uint32_t>& directions_;
  uint32_t vector_, number_ = 0;
  int shift_;
};

}  // namespace qjax
