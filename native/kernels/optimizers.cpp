// The steps of the optimizers: plain loops that the compiler vectorizes.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// 1 / (sqrt(x) + addend) for x >= 0 and addend > 0. Square root and division of wide registers take several times as
// long as Newton's steps, each of which doubles the correct bits: three steps turn the four bits of the first guess into those
// of a float, with a relative error of at most 3e-7. The guess negates the exponent, and halves it for the root. Source of
// the constant for the root: Lomont 2003, "Fast inverse square root"; the other was derived the same way.
CONVSCOPE_INLINE float inverse_of_root_and(float addend, float x) {
    float inverse_root = __builtin_bit_cast(float, 0x5f375a86 - (__builtin_bit_cast(int32_t, x) >> 1));
    CONVSCOPE_UNROLL
    for (int step = 0; step < 3; ++step) inverse_root *= 1.5f - 0.5f * x * inverse_root * inverse_root;
    const float sum = x * inverse_root + addend;
    float inverse = __builtin_bit_cast(float, 0x7ef311c7 - __builtin_bit_cast(int32_t, sum));
    CONVSCOPE_UNROLL
    for (int step = 0; step < 3; ++step) inverse *= 2.0f - sum * inverse;
    return inverse;
}

// Keras's Adam: the rate is the learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t), epsilon is added to the root.
void adam(float* __restrict weights, float* __restrict m, float* __restrict v, const float* __restrict gradient,
          int64_t count, const OptimizerStep& step) {
    const float alpha = step.rate, rate_m = step.one_minus_beta_1, rate_v = step.one_minus_beta_2;
    const float epsilon = step.epsilon, kept = step.kept;
    for (int64_t i = 0; i < count; ++i) {
        const float g = gradient[i];
        m[i] += (g - m[i]) * rate_m;
        v[i] += (g * g - v[i]) * rate_v;
        weights[i] = weights[i] * kept - alpha * m[i] * inverse_of_root_and(epsilon, v[i]);
    }
}

// Keras's SGD with momentum. The velocity includes the learning rate, so it has the unit of the weights.
void sgd(float* __restrict weights, float* __restrict velocity, const float* __restrict gradient, int64_t count,
         const OptimizerStep& step) {
    const float rate = step.rate, momentum = step.momentum, kept = step.kept;
    if (step.nesterov) {
        for (int64_t i = 0; i < count; ++i) {
            velocity[i] = momentum * velocity[i] - rate * gradient[i];
            weights[i] = weights[i] * kept + (momentum * velocity[i] - rate * gradient[i]);
        }
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        velocity[i] = momentum * velocity[i] - rate * gradient[i];
        weights[i] = weights[i] * kept + velocity[i];
    }
}

}  // namespace

void take_step(float* weights, float* m, float* v, const float* gradient, int64_t count, const OptimizerStep& step) {
    switch (step.kind) {
        case OptimizerKind::adam:
            return adam(weights, m, v, gradient, count, step);
        case OptimizerKind::sgd:
            return sgd(weights, m, gradient, count, step);
    }
}

}  // namespace convscope::CONVSCOPE_ISA
