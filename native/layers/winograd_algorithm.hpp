// The Winograd algorithm of a convolution, if any, and the sizes of the algorithms.
#pragma once

#include "layer.hpp"

namespace convscope {

// F(m x m, r x r): an m x m tile of outputs of an r x r kernel. The tile reads points() x points() inputs and needs one
// product for each of them and each channel, instead of m m r r.
struct WinogradSizes {
    int64_t outputs = 0, kernel = 0;  // m and r
    int64_t points() const { return outputs + kernel - 1; }
    int64_t positions() const { return points() * points(); }
};

constexpr WinogradSizes winograd_sizes(WinogradAlgorithm algorithm) {
    switch (algorithm) {
        case WinogradAlgorithm::f2x3: return {2, 3};
        case WinogradAlgorithm::f4x3: return {4, 3};
        case WinogradAlgorithm::f2x5: return {2, 5};
        case WinogradAlgorithm::f4x5: return {4, 5};
        case WinogradAlgorithm::none: break;
    }
    return {};
}

// The number of tiles of a map; the last ones may exceed it.
inline int64_t winograd_tiles(WinogradAlgorithm algorithm, const Shape& output) {
    const int64_t side = winograd_sizes(algorithm).outputs;
    return (output.height + side - 1) / side * ((output.width + side - 1) / side);
}

// Chooses the algorithm of a convolution without pooling; none if the direct way is as fast.
WinogradAlgorithm choose_winograd(const Layer& layer);

}  // namespace convscope
