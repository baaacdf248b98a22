// The activation functions and their derivatives by their definitions, in double, with which tests compare the engine.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernels.hpp"

namespace convscope::test {

// The density of the standard normal distribution at x, and the share of the distribution below x.
inline double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846); }
inline double below(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

inline double activated(Activation activation, float slope, double x) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::leaky_relu:
            return x > 0 ? x : static_cast<double>(slope) * x;
        case Activation::gelu:
            return x * below(x);
        case Activation::tanh:
            return std::tanh(x);
        case Activation::sigmoid:
            return 1 / (1 + std::exp(-x));
        case Activation::relu:
            return x > 0 ? x : 0;
        case Activation::relu6:
            return std::min(std::max(x, 0.0), 6.0);
        case Activation::elu:
            return x > 0 ? x : std::expm1(x);
        case Activation::selu:
            return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
        case Activation::silu:
            return x / (1 + std::exp(-x));
        case Activation::hard_silu:
            return x * std::min(std::max(x + 3, 0.0), 6.0) / 6;
        case Activation::hard_sigmoid:
            return std::min(std::max(x + 3, 0.0), 6.0) / 6;
    }
    return x;
}

inline double derivative(Activation activation, float slope, double x) {
    switch (activation) {
        case Activation::none:
            return 1;
        case Activation::leaky_relu:
            return x > 0 ? 1 : static_cast<double>(slope);
        case Activation::gelu:
            return below(x) + x * density(x);
        case Activation::tanh:
            return 1 / std::cosh(x) / std::cosh(x);
        case Activation::sigmoid:
            return 1 / (1 + std::exp(-x)) / (1 + std::exp(x));
        case Activation::relu:
            return x > 0 ? 1 : 0;
        case Activation::relu6:
            return x > 0 && x < 6 ? 1 : 0;
        case Activation::elu:
            return x > 0 ? 1 : std::exp(x);
        case Activation::selu:
            return 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * std::exp(x));
        case Activation::silu:
            if (std::fabs(x) > 700) return x > 0 ? 1 : 0;  // exp(x) or exp(-x) would overflow beyond 709
            return (1 + x / (1 + std::exp(x))) / (1 + std::exp(-x));
        case Activation::hard_silu:
            return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
        case Activation::hard_sigmoid:
            return x <= -3 || x >= 3 ? 0 : 1 / 6.0;
    }
    return 1;
}

// How far x is from the nearest number at which the derivative jumps.
inline double distance_from_jump(Activation activation, double x) {
    switch (activation) {
        case Activation::relu:
        case Activation::leaky_relu:
        case Activation::selu:
            return std::fabs(x);
        case Activation::relu6:
            return std::min(std::fabs(x), std::fabs(x - 6));
        case Activation::hard_silu:
        case Activation::hard_sigmoid:
            return std::fabs(std::fabs(x) - 3);
        default:
            return std::numeric_limits<double>::infinity();
    }
}

}  // namespace convscope::test
