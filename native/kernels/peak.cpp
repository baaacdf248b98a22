// Multiply-adds between registers: the highest speed of the processor, without any access to memory.
//
// Twelve sums hide the latency of multiply-add at two a cycle, and fit into the sixteen registers that AVX2 and SSE2 have.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

double multiply_add(int64_t steps, float* numbers) {
    constexpr int count = 12;
    const Vector factor = broadcast(numbers[0]), addend = broadcast(numbers[1]);
    Vector sums[count];
    CONVSCOPE_UNROLL
    for (int i = 0; i < count; ++i) sums[i] = broadcast(numbers[2]) + static_cast<float>(i);
    for (int64_t step = 0; step < steps; ++step) {
        CONVSCOPE_UNROLL
        for (int i = 0; i < count; ++i) sums[i] = sums[i] * factor + addend;
    }
    Vector total{};
    CONVSCOPE_UNROLL
    for (int i = 0; i < count; ++i) total += sums[i];
    numbers[3] = total[0];  // so that the compiler keeps the work
    return 2.0 * static_cast<double>(steps) * count * static_cast<double>(width);
}

}  // namespace convscope::CONVSCOPE_ISA
