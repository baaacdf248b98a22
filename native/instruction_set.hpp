// The instruction sets that the kernels were compiled for, and which of them this processor has.
#pragma once

#include <vector>

#include "kernels/kernels.hpp"

namespace convscope {

// Usable here, the fastest first; never empty.
std::vector<const Kernels*> usable_kernels();

// Those whose processor multiplies bfloat16 numbers by an instruction of its own, the fastest first; perhaps none. The first
// call asks the system for the registers that some need.
std::vector<const Kernels*> usable_bfloat16_kernels();

// The usable table of that name among all of these, or null.
const Kernels* find_kernels(const char* name);

}  // namespace convscope
