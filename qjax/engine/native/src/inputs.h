// The numbers that the circuits of a grid take.
#pragma once

#include "grid.h"

namespace qjax {

// The rows of an array that the lanes of a block take.
template <class T>
struct LaneRows {
  int64_t of[Lanes<T>::kWidth];
  bool alike = true;

  LaneRows(const Grid<T>& grid, int64_t block, const RowOf& row_of) {
    int64_t circuit = grid.circuit(block, 0), row = row_of(circuit);
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      if (grid.circuit(block, l) != circuit) row = row_of.after(circuit++, row);  // then it is the next one
      of[l] = row;
      alike &= row == of[0];
    }
  }
};

// Where the circuits of a grid take their numbers.
template <class T>
class Inputs {
 public:
  Inputs(const Plan& plan, const std::vector<int64_t>& sizes, const Rowed& params, const Rowed& features)
      : plan_(plan), params_(static_cast<const T*>(params.data)), features_(static_cast<const T*>(features.data)),
        param_row_(sizes, params.sizes), feature_row_(sizes, features.sizes) {}

  Rows<T> rows(const Grid<T>& grid, int64_t block) const {
    const LaneRows<T> param(grid, block, param_row_), feature(grid, block, feature_row_);
    Rows<T> rows{};
    for (int l = 0; l < Lanes<T>::kWidth; ++l) {
      rows.params[l] = params_ + param.of[l] * plan_.num_params;
      rows.features[l] = features_ + feature.of[l] * plan_.num_features;
    }
    return rows;
  }

  // The same with places for gradients, set to zero.
  Rows<T> rows(const Grid<T>& grid, int64_t block, double* gradients, bool params, bool features) const {
    Rows<T> out = rows(grid, block);
    const size_t of_params = size_t(Lanes<T>::kWidth) * plan_.num_params;
    const size_t of_features = size_t(Lanes<T>::kWidth) * plan_.num_features;
    if (params) std::fill_n(out.param_gradients = gradients, of_params, 0.0);
    if (features) std::fill_n(out.feature_gradients = gradients + of_params, of_features, 0.0);
    return out;
  }

 private:
  const Plan& plan_;
  const T *params_, *features_;
  RowOf param_row_, feature_row_;
};

}  // namespace qjax
