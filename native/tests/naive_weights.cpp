#include <cmath>

#include "naive_network.hpp"
#include "numbers.hpp"

namespace convscope::test {

std::vector<Weights> random_weights(const Architecture& architecture, uint64_t seed) {
    Random random(seed);
    std::vector<Weights> weights;
    for (const Layer& layer : architecture.layers) {
        Weights drawn;
        if (layer.has_weights()) {
            const int64_t taps = layer.window[0] * layer.window[1];
            const int64_t inputs = layer.is_by_channel() ? taps : taps * layer.input.channels / layer.groups;
            // Slopes up to 0.5; else the limit of He and others 2015, with which relu layers keep the size of numbers.
            const float limit = layer.kind == Kind::prelu ? 0.5f : std::sqrt(6.0f / static_cast<float>(inputs));
            for (int64_t i = 0; i < inputs * layer.output.channels; ++i) {
                drawn.kernel.push_back(static_cast<double>(limit * random.number()));
            }
            for (int64_t i = 0; i < layer.output.channels; ++i) {
                drawn.bias.push_back(layer.has_bias ? static_cast<double>(0.25f * random.number()) : 0);
            }
        }
        for (int64_t c = 0; layer.kind == Kind::normalization && c < layer.input.channels; ++c) {
            drawn.moving_means.push_back(static_cast<double>(0.5f * random.number()));
            drawn.moving_variances.push_back(static_cast<double>(1.25f + random.number()));
        }
        weights.push_back(drawn);
    }
    return weights;
}

}  // namespace convscope::test
