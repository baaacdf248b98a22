// Measures the peak speed of multiply-adds, with which the engine's speed is compared.
#pragma once

#include "kernels/kernels.hpp"

namespace convscope {

// Returns the operations per second (a multiply-add is two) of the kernel `multiply_add` on `threads` threads. It is
// the best of many rounds of 10 ms within `seconds`, so that another process on the processor does not lower it.
double measure_peak(double (*multiply_add)(int64_t, float*), int threads, double seconds);

}  // namespace convscope
