// The peak of multiply-add in float32, measured: what an engine's speed is a share of.
#pragma once

#include "kernels/kernels.hpp"

namespace convscope {

// Operations a second (a multiply-add is two) of `threads` threads at once: the best of several rounds of some
// milliseconds, so that a neighbour who takes the processor for a moment does not count.
double measure_peak(const Kernels& kernels, int threads, double seconds);

}  // namespace convscope
