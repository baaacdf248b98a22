// Rounds kernels to few levels; engine/rounding.py derives the step.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

// Rounds to the nearest integer, ties to even, for |x| <= 2^51: a double beyond 2^52 has no fraction.
CONVSCOPE_INLINE double nearest(double x) {
    constexpr double shift = 6755399441055744.0;  // 1.5 * 2^52
    return (x + shift) - shift;
}

void round_columns(const float* from, int64_t rows, int64_t highest, double step_of_rms, float* to) {
    double squares[panel] = {}, inverses[panel];
    float steps[panel];
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < panel; ++i) {
            const double value = static_cast<double>(from[row * panel + i]);
            squares[i] += value * value;
        }
    }
    for (int64_t i = 0; i < panel; ++i) {
        steps[i] = static_cast<float>(step_of_rms * __builtin_sqrt(squares[i] / static_cast<double>(rows)));
        inverses[i] = steps[i] == 0 ? 0 : 1 / static_cast<double>(steps[i]);
    }
    const double limit = static_cast<double>(highest);
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t i = 0; i < panel; ++i) {
            const double levels = static_cast<double>(from[row * panel + i]) * inverses[i];
            const double clamped = levels > limit ? limit : levels < -limit ? -limit : levels;
            to[row * panel + i] = static_cast<float>(nearest(clamped)) * steps[i];
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
