// How passes share their way over the state.
#pragma once

#include "schedule.h"

namespace qjax {

// The direction as it is taken beside a pass's gates: their qubits stay as they are.
uint32_t beside(const Pass& pass, const uint32_t* flips, uint32_t direction);

// Which bit of the table's number says the parity of a row over a block's base; -1 where it is always even, and
// kMaxVariants where the pass has no room for another.
int find_variant(Pass& pass, uint32_t row);

// Puts passes next to each other that stay within tiles of the state which fit the caches: their sweep goes
// from tile to tile, and reads and writes the whole state once.
void form_sweeps(Schedule& schedule);

// Groups the strings of block passes by the parity that they go by.
void group_strings(Schedule& schedule);

// Has the second sweep read what the first pass leaves in its tables, if it does and is alone in its sweep.
void read_first_pass(Schedule& schedule);

// Finds out in which sweep each parameter and feature enters.
void find_entries(Schedule& schedule, int num_params, int num_features);

// Finds out whether the last pass can sum up the terms on its way.
void find_measurement(Schedule& schedule);

}  // namespace qjax
