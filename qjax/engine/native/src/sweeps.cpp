#include "sweeps.h"

#include <algorithm>

namespace qjax {
namespace {

const uint32_t* gate_flips(const Pass& pass, uint32_t* room) {
  for (size_t j = 0; j < pass.chains.size(); ++j) room[j] = pass.offsets[size_t(1) << (pass.num_free + j)];
  return room;
}

uint32_t over_columns(const Pass& pass, uint32_t row) {
  uint32_t out = 0;
  for (size_t c = 0; c < pass.columns.size(); ++c) out |= parity(row & pass.columns[c]) << c;
  return out;
}

void add_directions(const Pass& pass, Independent& tile) {
  for (int j = 0; j < pass.local_bits(); ++j) tile.add(pass.offsets[size_t(1) << j]);
}

// Orders a pass's blocks by tiles; false where it would need too many tables.
bool take_tile(Pass& pass, const Independent& tile, int vector_bits, int lane_bits) {
  uint32_t room[kMaxLocalBits];
  const uint32_t* flips = gate_flips(pass, room);
  Independent covered;
  add_directions(pass, covered);
  pass.columns.clear();
  for (int k = 0; k < tile.count(); ++k) {
    const uint32_t column = beside(pass, flips, tile[k]);
    if (covered.add(column)) pass.columns.push_back(column);
  }
  pass.tile_columns = int(pass.columns.size());
  for (uint32_t bits = ((1u << vector_bits) - 1) & ~tile.pivots(); bits; bits &= bits - 1)
    pass.columns.push_back(beside(pass, flips, bits & -bits));
  pass.num_variants = 0;
  for (String& s : pass.strings) {
    s.variant = find_variant(pass, s.row >> lane_bits);
    if (s.variant == kMaxVariants) return false;
  }
  return true;
}

}  // namespace

uint32_t beside(const Pass& pass, const uint32_t* flips, uint32_t direction) {
  uint32_t out = direction;
  for (size_t j = 0; j < pass.chains.size(); ++j)
    if (parity(pass.rows[j] & direction)) out ^= flips[j];
  return out;
}

int find_variant(Pass& pass, uint32_t row) {
  const uint32_t signature = over_columns(pass, row);
  if (signature == 0) return -1;
  const auto end = pass.variant_rows + pass.num_variants;
  const int variant = int(std::find(pass.variant_rows, end, signature) - pass.variant_rows);
  if (variant < pass.num_variants) return variant;
  if (variant == kMaxVariants || size_t(2) << variant > size_t(1) << pass.columns.size()) return kMaxVariants;
  pass.variant_rows[pass.num_variants++] = signature;
  return variant;
}

void form_sweeps(Schedule& schedule) {
  auto& passes = schedule.passes;
  const int vector_bits = schedule.num_qubits - schedule.lane_bits;
  constexpr int kTilesAtLeast = 4;  // as a power of two, so that threads have enough to share
  const bool is_small = vector_bits <= kCachedBits;
  const int limit = !is_small                      ? std::min(kTileBits, vector_bits - kTilesAtLeast)
                    : vector_bits >= kLeastInTiles ? kSmallTileBits
                                                   : 0;
  const int least = is_small ? 0 : 10;  // of few blocks, but for those in the first cache, tiles are not worth it
  for (int32_t begin = 0, end; begin < int32_t(passes.size()); begin = end) {
    end = begin + 1;
    Independent tile;
    if (limit > 0 && passes[begin].kind == Pass::kBlock) {
      for (int bit = 0; !is_small && bit < kRunBits; ++bit) tile.add(1u << bit);
      add_directions(passes[begin], tile);
      for (; end < int32_t(passes.size()) && end - begin < kMaxSweepPasses && passes[end].kind == Pass::kBlock; ++end) {
        Independent wider = tile;
        add_directions(passes[end], wider);
        if (wider.count() > limit) break;
        tile = wider;
      }
      for (int bit = 0; bit < vector_bits && tile.count() < std::min(limit, least); ++bit) tile.add(1u << bit);
      std::vector<Pass> tiled(passes.begin() + begin, passes.begin() + end);
      const auto first_bad = std::find_if(tiled.begin(), tiled.end(), [&](Pass& pass) {
        return !take_tile(pass, tile, vector_bits, schedule.lane_bits);
      });
      end = std::max(begin + 1, begin + int32_t(first_bad - tiled.begin()));
      if (end - begin > 1) std::move(tiled.begin(), first_bad, passes.begin() + begin);
    }
    schedule.sweeps.push_back({begin, end, is_small && end - begin > 1, {}});
    if (!is_small && end - begin > 1)
      for (int k = 0; k < tile.count(); ++k) schedule.sweeps.back().tile.push_back(tile[k]);
    size_t table_size = 0;
    for (int32_t k = begin; k < end; ++k) table_size += passes[k].table_size();
    schedule.table_size = std::max(schedule.table_size, table_size);
    schedule.longest_sweep = std::max(schedule.longest_sweep, end - begin);
  }
}

void group_strings(Schedule& schedule) {
  for (Pass& pass : schedule.passes) {
    if (pass.kind != Pass::kBlock) continue;
    pass.is_alike = schedule.lane_bits == 0 && !pass.begins && !pass.works_in_lanes();
    for (size_t k = 0; k < pass.strings.size(); ++k) {
      const String& s = pass.strings[k];
      if (s.chain >= 0 && schedule.chains[s.chain].uses_features) pass.is_alike = false;
      const uint32_t mask = s.local | (s.variant < 0 ? 0 : 1u << (pass.local_bits() + s.variant));
      const bool even_is_one = s.source != String::kStart && !s.one && (s.row & ((1u << schedule.lane_bits) - 1)) == 0;
      const auto same = std::find_if(pass.groups.begin(), pass.groups.end(), [&](const Group& g) { return g.mask == mask; });
      if (same == pass.groups.end()) {
        pass.groups.push_back({mask, even_is_one, {int32_t(k)}});
      } else {
        same->even_is_one &= even_is_one;
        same->strings.push_back(int32_t(k));
      }
    }
    std::stable_sort(pass.groups.begin(), pass.groups.end(),
                     [](const Group& a, const Group& b) { return a.highest_bit() < b.highest_bit(); });
  }
}

void read_first_pass(Schedule& schedule) {
  auto& passes = schedule.passes;
  if (schedule.sweeps.size() < 2 || schedule.sweeps[0].end != 1 || !passes[0].begins_in_table()) return;
  const Pass& first = passes[0];
  Pass& second = passes[1];
  if (second.kind != Pass::kBlock) return;
  Coordinates entry;
  for (int j = 0; j < first.local_bits(); ++j) entry.add(first.offsets[size_t(1) << j], 1u << j);
  for (size_t c = 0; c < first.columns.size(); ++c) {
    uint32_t variant = 0;
    for (int k = 0; k < first.num_variants; ++k) variant |= (first.variant_rows[k] >> c & 1) << k;
    entry.add(first.columns[c], variant << first.local_bits());
  }
  second.entry_start = entry.of(second.start ^ first.start);
  for (uint32_t offset : second.offsets) second.entry_offsets.push_back(entry.of(offset));
  for (uint32_t column : second.columns) second.entry_columns.push_back(entry.of(column));
  size_t table_size = first.table_size();
  for (int32_t k = schedule.sweeps[1].begin; k < schedule.sweeps[1].end; ++k) table_size += passes[k].table_size();
  schedule.table_size = std::max(schedule.table_size, table_size);
}

void find_entries(Schedule& schedule, int num_params, int num_features) {
  const int32_t none = int32_t(schedule.sweeps.size());
  schedule.param_sweeps.assign(num_params, none);
  schedule.feature_sweeps.assign(num_features, none);
  auto enters = [&](int32_t chain, int32_t sweep) {
    if (chain < 0) return;
    const ChainRef& ref = schedule.chains[chain];
    for (int32_t t = ref.first_turn; t < ref.first_turn + ref.num_turns; ++t)
      for (const auto& [number, sweeps] : {std::pair{schedule.turns[t].param, &schedule.param_sweeps},
                                           std::pair{schedule.turns[t].feature, &schedule.feature_sweeps}})
        if (number >= 0 && (*sweeps)[number] > sweep) {
          (*sweeps)[number] = sweep;
          schedule.last_entry = std::max(schedule.last_entry, sweep);
        }
  };
  for (int32_t chain : schedule.prologue) enters(chain, 0);
  for (int32_t k = 0; k < none; ++k)
    for (int32_t p = schedule.sweeps[k].begin; p < schedule.sweeps[k].end; ++p) {
      const Pass& pass = schedule.passes[p];
      if (pass.kind == Pass::kMeasure) continue;  // for the way back alone
      for (int32_t chain : pass.chains) enters(chain, k);
      for (const String& s : pass.strings) enters(s.chain, k);  // those of gates within lanes among them
    }
}

void find_measurement(Schedule& schedule) {
  if (schedule.passes.empty() || schedule.passes.back().kind != Pass::kBlock) return;
  const Pass& last = schedule.passes.back();
  if (last.chains.empty()) return;
  Measurement found;
  for (const Pauli& term : schedule.terms) {
    const uint32_t row = term.row >> schedule.lane_bits, outer = over_columns(last, row);
    if (term.flip || (!found.terms.empty() && outer != found.row)) return;
    found.row = outer;
    Measurement::Sign sign{0, term.row & ((1u << schedule.lane_bits) - 1), term.one ^ parity(row & last.start)};
    for (int j = 0; j < last.local_bits(); ++j) sign.local |= parity(row & last.offsets[size_t(1) << j]) << j;
    found.terms.push_back(sign);
  }
  schedule.measurement = std::move(found);
}

}  // namespace qjax
