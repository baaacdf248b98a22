#include "winograd_algorithm.hpp"

#include <algorithm>

namespace convscope {

namespace {

constexpr int64_t least_channels = 16;  // of input and output: below, the transforms cost more than they save

}  // namespace

WinogradAlgorithm choose_winograd(const Layer& layer) {
    const bool by_one = layer.stride[0] == 1 && layer.stride[1] == 1;
    const bool square = layer.window[0] == layer.window[1];
    if (layer.kind != Kind::convolution || !by_one || !square) return WinogradAlgorithm::none;
    if (std::min(layer.input.channels, layer.output.channels) < least_channels) return WinogradAlgorithm::none;
    WinogradAlgorithm best = WinogradAlgorithm::none;
    int64_t fewest = layer.output.height * layer.output.width * layer.window[0] * layer.window[1];
    for (WinogradAlgorithm algorithm :
         {WinogradAlgorithm::f4x3, WinogradAlgorithm::f2x3, WinogradAlgorithm::f4x5, WinogradAlgorithm::f2x5}) {
        const WinogradSizes sizes = winograd_sizes(algorithm);
        const int64_t products = winograd_tiles(algorithm, layer.output) * sizes.positions();
        if (sizes.kernel != layer.window[0] || products >= fewest) continue;
        best = algorithm;
        fewest = products;
    }
    return best;
}

}  // namespace convscope
