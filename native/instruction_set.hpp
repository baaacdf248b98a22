// The instruction sets that the kernels were compiled for, and which of them this processor has.
#pragma once

#include <vector>

#include "kernels/kernels.hpp"

namespace convscope {

// Returns the kernels that this processor can run, the fastest first; never none.
std::vector<const Kernels*> usable_kernels();

// Returns those that multiply bfloat16 numbers by an instruction made for it, the fastest first; maybe none. The first
// call asks the system for permission to use AMX's registers.
std::vector<const Kernels*> usable_bfloat16_kernels();

// Returns the kernels of this name from both lists, or null.
const Kernels* find_kernels(const char* name);

}  // namespace convscope
