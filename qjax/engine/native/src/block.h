// The blocks of a pass: which there are, where their vectors lie, and what RY does to two of them.
#pragma once

#include <algorithm>

#include "ahead.h"
#include "tables.h"

namespace qjax {

// Places one after the other, each one XOR away from the one before.
class Walk {
 public:
  Walk(const std::vector<uint32_t>& columns, uint32_t start, uint32_t begin)
      : columns_(&columns), number_(begin), base_(start) {
    for (size_t c = 0; c < columns.size(); ++c)
      if (code() >> c & 1) base_ ^= columns[c];
  }
  uint32_t base() const { return base_; }
  void step() {
    const uint32_t column = __builtin_ctz(++number_);
    if (column < columns_->size()) base_ ^= (*columns_)[column];
  }

 protected:
  uint32_t code() const { return number_ ^ number_ >> 1; }

 private:
  const std::vector<uint32_t>* columns_;
  uint32_t number_, base_;
};

// The blocks of a pass.
class Blocks : public Walk {
 public:
  Blocks(const Pass& pass, uint32_t begin) : Walk(pass.columns, pass.start, begin), pass_(&pass) {}
  // Parity of a row over the columns that lead to the block.
  uint32_t sign(uint32_t row) const { return parity(row & code()); }
  // Which of the tables the block takes.
  uint32_t variant() const {
    uint32_t out = 0;
    for (int k = 0; k < pass_->num_variants; ++k) out |= sign(pass_->variant_rows[k]) << k;
    return out;
  }

 private:
  const Pass* pass_;
};

// (a, b) <- RY (a, b), up to the cosine unless steep.
template <bool kSteep, class V>
inline void turn_pair(Complex<V>& a, Complex<V>& b, V s, V c) {
  const Complex<V> p = a, q = b;
  if constexpr (kSteep) {
    a = {c * p.re - s * q.re, c * p.im - s * q.im};
    b = {c * q.re + s * p.re, c * q.im + s * p.im};
  } else {
    a = {p.re - s * q.re, p.im - s * q.im};
    b = {q.re + s * p.re, q.im + s * p.im};
  }
}

// Keeps a value that is read twice in a register, where the compiler would read memory twice.
template <class V>
inline void keep(V& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  asm("" : "+x"(value));
#else
  (void)value;
#endif
}

template <class V>
inline Complex<V> kept(const Complex<V>& amp) {
  Complex<V> out{amp.re, amp.im};  // by parts: as a whole it would be copied in small pieces
  keep(out.re);
  keep(out.im);
  return out;
}

// A block as the stages of a pass see it: where its vectors are, and those of the block to ask for.
template <class T>
struct Block {
  using V = typename Lanes<T>::V;
  int local_bits;
  uint32_t lane_mask, vector = 0;
  V sign, *sums = nullptr;  // of a measurement

  Block(const State<T>& psi, const Pass& pass, const Gates<T>& gates)
      : local_bits(pass.local_bits()), lane_mask(psi.lane_mask()),
        variant_size_((gates.alike ? sizeof(T) : sizeof(Amp<T>)) << local_bits),
        imaginary_(table_vectors<T>(pass, true) * Lanes<T>::kWidth), state_(reinterpret_cast<uintptr_t>(psi.data)) {
    for (size_t x = 0; x < pass.offsets.size(); ++x) offsets_[x] = pass.offsets[x] * sizeof(Amp<T>);
  }

  // Goes to a block. Another one, or the same again, will be asked for.
  void move(const Amp<T>* tables, const Blocks& to, const Blocks& ahead) {
    table_ = reinterpret_cast<const char*>(tables) + to.variant() * variant_size_;
    vector = to.base();
    if (vector == placed_ahead_)
      std::swap(here_, next_);
    else
      place(vector, here_);
    from_ = here_;
    placed_ahead_ = ahead.base();
    if (placed_ahead_ == vector) {
      asked_ = here_;
    } else {
      place(placed_ahead_, next_);
      asked_ = next_;
    }
  }

  // Has the block's vectors read from elsewhere: those at these offsets from a base.
  void read_from(const Amp<T>* vectors, const std::vector<uint32_t>& offsets, uint32_t base) {
    for (size_t x = 0; x < size_t(1) << local_bits; ++x)
      elsewhere_[x] = reinterpret_cast<uintptr_t>(vectors + (base ^ offsets[x]));
    from_ = elsewhere_;
  }

  // Takes an entry of the table itself as the block.
  void stand_on(Amp<T>* entry) {
    table_ = reinterpret_cast<const char*>(entry);
    for (size_t x = 0; x < size_t(1) << local_bits; ++x) here_[x] = reinterpret_cast<uintptr_t>(entry + x);
  }

  // Has a share of the next tile asked for with this block.
  void ask_ahead(TileAhead<T>& tile) {
    shift_ = tile.shift();
    tile.take(std::max(1u, (1u << local_bits) >> shift_), of_tile_);
  }

  Amp<T>& operator[](uint32_t x) const { return *reinterpret_cast<Amp<T>*>(here_[x]); }
  // What a pass begins with; then it is in its place.
  const Amp<T>& from(uint32_t x) const { return *reinterpret_cast<const Amp<T>*>(from_[x]); }
  template <bool kAlike>
  Amp<T> phase(uint32_t x) const {
    if constexpr (!kAlike) return kept(reinterpret_cast<const Amp<T>*>(table_)[x]);
    const T* parts = reinterpret_cast<const T*>(table_) + x;
    return kept(Amp<T>{splat<T>(parts[0]), splat<T>(parts[imaginary_])});
  }
  // Asks for the same vector of the block ahead, whose lines are too scattered for the processor to guess. kTile:
  // and for half a vector of the next tile, into the second cache; the next x asks for the other half.
  template <Asks kAsks>
  void fetch(uint32_t x) const {
    if constexpr (kAsks == Asks::kTile)
      __builtin_prefetch(reinterpret_cast<const char*>(of_tile_[x >> shift_]) + (x & 1) * sizeof(Amp<T>) / 2, 0, 1);
    if constexpr (kAsks != Asks::kNothing)
      for (size_t byte = 0; byte < sizeof(Amp<T>); byte += 64)
        __builtin_prefetch(reinterpret_cast<const char*>(asked_[x]) + byte);
  }

 private:
  // By vectors of addresses: one by one, on the way, they would take the place of arithmetic.
  void place(uint32_t vector, uintptr_t* places) const {
    const uintptr_t base = vector * sizeof(Amp<T>);
    for (size_t x = 0; x < size_t(1) << local_bits; ++x) places[x] = state_ + (base ^ offsets_[x]);
  }

  static constexpr size_t kSize = 1 << kMaxLocalBits;
  const char* table_ = nullptr;
  size_t variant_size_;  // bytes
  size_t imaginary_;     // entries behind the real parts, in a table that is alike for all lanes
  uint32_t placed_ahead_ = ~0u;
  uintptr_t state_, *here_ = places_, *next_ = places_ + kSize;
  const uintptr_t *asked_ = here_, *from_ = here_;
  alignas(64) uintptr_t offsets_[kSize];
  alignas(64) uintptr_t places_[2 * kSize], elsewhere_[kSize];
  // Vectors of the next tile, one for every 2^shift_ of the block.
  int shift_ = 0;
  alignas(64) uintptr_t of_tile_[kSize];
};

}  // namespace qjax
