// Which rows of an array the circuits of a grid take.
#pragma once

#include <cstdint>
#include <vector>

namespace qjax {

inline int64_t product(const std::vector<int64_t>& sizes) {
  int64_t out = 1;
  for (int64_t size : sizes) out *= size;
  return out;
}

// The rows of an array that the circuits of the grid take, one after the other.
class RowOf {
 public:
  // The grid has to stay as long as this.
  RowOf(const std::vector<int64_t>& grid, const std::vector<int64_t>& sizes) : grid_(grid), strides_(grid.size()) {
    int64_t stride = 1;
    for (size_t d = grid.size(); d-- > 0; stride *= sizes[d]) strides_[d] = sizes[d] == 1 ? 0 : stride;
  }
  int64_t operator()(int64_t circuit) const {
    int64_t row = 0;
    for (size_t d = grid_.size(); d-- > 0; circuit /= grid_[d]) row += circuit % grid_[d] * strides_[d];
    return row;
  }
  // The row of the circuit after one that takes `row`: along the last axis it needs no division.
  int64_t after(int64_t circuit, int64_t row) const {
    return (circuit + 1) % grid_.back() ? row + strides_.back() : (*this)(circuit + 1);
  }

 private:
  const std::vector<int64_t>& grid_;
  std::vector<int64_t> strides_;
};

}  // namespace qjax
