// Which of Winograd's algorithms a convolution is computed by, if any, and their sizes.
#pragma once

#include "layer.hpp"

namespace convscope {

// Of a tile: the sides of its places and of the kernel, and of the square of numbers that are multiplied for it.
struct WinogradSizes {
    int64_t outputs = 0, kernel = 0;
    int64_t points() const { return outputs + kernel - 1; }
    int64_t positions() const { return points() * points(); }
};

constexpr WinogradSizes winograd_sizes(WinogradAlgorithm algorithm) {
    switch (algorithm) {
        case WinogradAlgorithm::f2x3:
            return {2, 3};
        case WinogradAlgorithm::f4x3:
            return {4, 3};
        case WinogradAlgorithm::f2x5:
            return {2, 5};
        case WinogradAlgorithm::f4x5:
            return {4, 5};
        case WinogradAlgorithm::none:
            break;
    }
    return {};
}

// How many tiles a map of this size takes; the last may lie partly outside.
inline int64_t winograd_tiles(WinogradAlgorithm algorithm, const Shape& output) {
    const int64_t side = winograd_sizes(algorithm).outputs;
    return (output.height + side - 1) / side * ((output.width + side - 1) / side);
}

// The algorithm of a convolution without pooling, or none where it is computed directly.
WinogradAlgorithm choose_winograd(const Layer& layer);

}  // namespace convscope
