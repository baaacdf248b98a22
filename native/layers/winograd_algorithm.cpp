#include "winograd_algorithm.hpp"

#include <algorithm>

namespace convscope {

// With fewer channels of the input or output, the transforms cost more than they save. Microseconds (forward +
// backward) at 28 x 28 on an Intel Xeon (Granite Rapids) with AVX-512; dev/LOG.md has more:
//
//     kernel    channels    Winograd    direct
//       3         4 -> 4     10 + 20     6 + 13
//       3         8 -> 8     11 + 22    11 + 24
//       3       16 -> 16     14 + 28    17 + 39
//       5         4 -> 4     12 + 25    12 + 30
//       5         8 -> 8     14 + 29    23 + 57
constexpr int64_t min_channels = 8;

WinogradAlgorithm choose_winograd(const Layer& layer) {
    const bool by_one = layer.stride[0] == 1 && layer.stride[1] == 1;
    const bool square = layer.window[0] == layer.window[1];
    if (layer.kind != Kind::convolution || !by_one || !square || !layer.has_plain_kernel()) return WinogradAlgorithm::none;
    if (std::min(layer.input.channels, layer.output.channels) < min_channels) return WinogradAlgorithm::none;
    WinogradAlgorithm best = WinogradAlgorithm::none;
    // At most three quarters of the direct products: the transforms cost the rest.
    int64_t fewest = layer.output.height * layer.output.width * layer.window[0] * layer.window[1] * 3 / 4 + 1;
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
