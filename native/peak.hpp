// The peak of multiply-add, measured: what an engine's speed is a share of.
#pragma once

#include "kernels/kernels.hpp"

namespace convscope {

// Operations a second (a multiply-add is two) of that kernel on `threads` threads at once: the best of several rounds of some
// milliseconds, so that a neighbour who takes the processor for a moment does not count.
double measure_peak(double (*multiply_add)(int64_t, float*), int threads, double seconds);

}  // namespace convscope
