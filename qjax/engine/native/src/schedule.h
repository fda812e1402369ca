// A plan laid out as passes over the state, for one way of splitting addresses into vectors and lanes.
//
// Loops are unrolled, so that gates merge across their ends; what depends on the circuit alone (frames, addresses,
// which phases meet in which pass) is worked out once and kept with the plan. One-qubit unitaries are taken as
// diagonal * RY * diagonal. Diagonals wait as phases on Z strings until a pass does not commute with them; that
// pass multiplies by all of them at once.
#pragma once

#include <cstdint>
#include <vector>

#include "frame.h"
#include "plan.h"

namespace qjax {

// An angle of the unrolled circuit: scale * params[param] * features[feature] + offset.
struct TurnRef {
  int32_t param, feature;
  double scale, offset;
};

struct FactorRef {
  Factor::Kind kind;
  int32_t turn;          // of a rotation
  const Factor* fixed;   // a constant matrix
};

// What angles enter together: the one-qubit gates on a qubit between two couplings, or a single rotation.
struct ChainRef {
  int32_t first, count;  // factors
  int32_t first_turn, num_turns;
  bool is_split;         // a one-qubit unitary, taken as diagonal * RY * diagonal
  bool uses_features;
  int32_t lane_place, lane_turn;  // among the chains that features enter, and their turns
};

// A factor (1, w) or (w, 1) on the two values of a Z string. A product state is a constant one times strings too,
// with the factors (cosine, sine) of a qubit's chain.
struct String {
  enum Source : uint8_t { kPre, kPost, kTurn, kStart } source;
  int32_t chain;         // -1: kStart of a qubit at zero
  uint32_t row;      // of the address, lanes included
  uint32_t local;    // parity over the block's local bits
  int32_t variant;   // kBlock: which bit of the table's number the block's own parity is; -1 for none
  uint8_t one;
};

// A Pauli string in a frame: (P psi)(y) = (-i)^power (-1)^(parity(row & y) ^ one) psi(y ^ flip).
struct Pauli {
  uint32_t flip, row, one;
  int power;

  Pauli() = default;
  Pauli(const Frame& frame, uint32_t x, uint32_t z)
      : flip(frame.flips(x)), row(frame.row(z)), one(frame.one(z)), power(__builtin_popcount(x & z) & 3) {}
};

// Strings of a pass with the same parity over a block's local bits and the bits of its variant.
struct Group {
  uint32_t mask;
  bool even_is_one;
  std::vector<int32_t> strings;  // numbers
  int highest_bit() const { return mask ? 31 - __builtin_clz(mask) : -1; }
};

// How a pass brings its lane qubits back to the bits of the lane: lane l of the result is lane
// `order[l] ^ first` of vector v, where bit k of `first` is parity(rows[k] & v) ^ bit k of `start`.
struct LaneSort {
  uint8_t order[16];
  uint32_t rows[4];
  uint32_t start;
  uint32_t first(uint32_t vector) const {
    uint32_t out = start;
    for (int k = 0; k < 4; ++k) out ^= parity(rows[k] & vector) << k;
    return out;
  }
};

inline constexpr int kMaxLocalBits = 6;
inline constexpr int kMaxVariants = 3;
inline constexpr int kMaxSweepPasses = 4;
// Tiles of a state, in vectors: two of them fit the second cache, or the first one.
inline constexpr int kTileBits = 12;
inline constexpr int kSmallTileBits = 7;
inline constexpr int kLeastInTiles = 11;  // smaller states are near enough as a whole
// A state of more vectors leaves the second cache. Its tiles hold whole runs of neighbours, so that they lie on
// few pages, and small passes take neighbours into their blocks.
inline constexpr int kCachedBits = kTileBits + 1;
inline constexpr int kRunBits = 3;
inline constexpr int kLeastLocalBits = 3, kLargeLocalBits = 6;

struct Pass {
  enum Kind : uint8_t { kBlock, kDiagonal, kMeasure, kRotation, kDense, kMove } kind = kBlock;
  // kBlock: the state falls into blocks of 2^local_bits vectors, coupled by RY on the upper local bits.
  int num_free = 0;                  // lower local bits without a gate
  std::vector<int32_t> chains;       // one for each upper local bit
  std::vector<int32_t> lane_chains;  // on bits of the lane
  std::vector<int32_t> lane_bits;
  std::vector<uint32_t> offsets;     // of a block's vectors from its base
  std::vector<uint32_t> columns;     // base = start ^ the columns that the Gray code of its number names
  int tile_columns = 0;              // the first ones, which stay within a tile
  uint32_t rows[kMaxLocalBits] = {};  // of the gates' qubits
  uint32_t start = 0;
  bool begins = false;               // forward, the state is not read: its strings make it
  bool sorts = false;
  LaneSort sort, unsort;
  std::vector<uint8_t> sort_offsets, unsort_offsets;  // what an offset adds to the first lane
  uint32_t variant_rows[kMaxVariants] = {};  // over the Gray code
  int num_variants = 0;
  // Where the pass before leaves the state in its tables: their entries in place of the vectors that are named
  // by `offsets`, `columns` and `start`. Empty: it is in its place.
  std::vector<uint32_t> entry_offsets, entry_columns;
  uint32_t entry_start = 0;
  // kBlock: multiplied before the gates. kDiagonal: the pass. kMeasure: whose gradients are taken here.
  std::vector<String> strings;
  std::vector<Group> groups;         // kBlock: the lowest highest bits first
  bool is_alike = false;             // whether lanes with the same parameters have the same phases
  Pauli pauli;                       // kRotation; its chain is chains[0]
  const Step* dense = nullptr;       // kDense
  Axis axes[4];                      // kDense; kMove: axes[0] the target, lane_bits[0] the control

  int local_bits() const { return num_free + int(chains.size()); }
  size_t table_size() const { return kind == kBlock ? size_t(1) << (local_bits() + num_variants) : 0; }
  uint32_t num_tiles() const { return 1u << (columns.size() - tile_columns); }
  // A pass that makes the state leaves the same in all blocks of a variant. Where there are at least four blocks
  // for each, that is worked out once, in the tables' place, and copied or read from there.
  bool begins_in_table() const { return begins && columns.size() >= size_t(num_variants) + 2; }
  bool reads_entries() const { return !entry_offsets.empty(); }
  // Also where it has no gates at all: then nothing else would take its phases.
  bool works_in_lanes() const { return sorts || !lane_chains.empty() || chains.empty(); }
};

// Passes that go over the state together, one tile of it after the other.
struct Sweep {
  int32_t begin, end;
  bool is_small;  // its tiles, of a state that itself fits the second cache
  // Directions that span a tile, for asking for the next one; none for small states and single passes.
  std::vector<uint32_t> tile;
};

// Z strings that the last pass, a block pass, sums up on its way.
struct Measurement {
  struct Sign {
    uint32_t local, row;  // parities over the block's local bits and over the lane
    uint32_t one;
  };
  std::vector<Sign> terms;  // none: not possible
  uint32_t row = 0;         // over the Gray code, the same for all
};

struct Schedule {
  int num_qubits, lane_bits;
  std::vector<TurnRef> turns;
  std::vector<FactorRef> factors;
  std::vector<ChainRef> chains;
  int32_t num_lane_chains = 0, num_lane_turns = 0;
  std::vector<int32_t> phases;      // chains whose half angle is a global phase
  std::vector<int32_t> prologue;    // the chain of each qubit on |0>, or -1
  bool builds_product = false;      // whether the product state has to be there before the first pass
  std::vector<Pass> passes;
  std::vector<Sweep> sweeps;
  size_t table_size = 0;            // of the sweep that needs most
  int32_t longest_sweep = 1;
  Measurement measurement;
  std::vector<int32_t> param_sweeps, feature_sweeps;  // that each number enters at first; beyond the last: none
  int32_t last_entry = 0;           // the latest of these sweeps
  Frame start, frame;               // at the product state, and at the end
  std::vector<Pauli> terms;         // the plan's terms in it
  double work = 0;                  // operations on each vector, roughly

  Schedule(const Plan& plan, int lane_bits, bool exact_state);
  int32_t passes_before(int32_t sweep) const { return sweeps.empty() ? 0 : sweeps[sweep].begin; }
};

}  // namespace qjax
