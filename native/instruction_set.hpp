// The instruction sets that the kernels were compiled for, and which of them this processor has.
#pragma once

#include <vector>

#include "kernels/kernels.hpp"

namespace convscope {

// Usable here, the fastest first; never empty.
std::vector<const Kernels*> usable_kernels();

// The usable table of that name, or null.
const Kernels* find_kernels(const char* name);

}  // namespace convscope
