#include "naive_network.hpp"

#include <algorithm>
#include <cmath>

#include "numbers.hpp"

namespace convscope::test {

namespace {

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

// Calls visit(output place, input place, kernel place) for all that a layer's windows see of a map, places counted in
// pixels; what lies in the padding is left out.
template <class Visit>
void for_windows(const Layer& layer, Visit visit) {
    for (int64_t y = 0; y < layer.output.height; ++y) {
        for (int64_t x = 0; x < layer.output.width; ++x) {
            for (int64_t r = 0; r < layer.window[0]; ++r) {
                for (int64_t s = 0; s < layer.window[1]; ++s) {
                    const int64_t row = y * layer.stride[0] + r - layer.padding[0];
                    const int64_t column = x * layer.stride[1] + s - layer.padding[1];
                    if (row < 0 || row >= layer.input.height || column < 0 || column >= layer.input.width) continue;
                    visit(y * layer.output.width + x, row * layer.input.width + column, r * layer.window[1] + s);
                }
            }
        }
    }
}

// Which input number each output number of a pooling is: the first of the largest.
std::vector<int64_t> winners(const Layer& layer, const std::vector<double>& input) {
    std::vector<int64_t> winners(at(layer.output.size()), -1);
    const int64_t channels = layer.input.channels;
    for_windows(layer, [&](int64_t to, int64_t from, int64_t) {
        for (int64_t c = 0; c < channels; ++c) {
            int64_t& winner = winners[at(to * channels + c)];
            if (winner < 0 || input[at(from * channels + c)] > input[at(winner)]) winner = from * channels + c;
        }
    });
    return winners;
}

std::vector<double> forward(const Layer& layer, const Weights& weights, const std::vector<double>& input) {
    if (layer.kind == Kind::flatten) return input;
    std::vector<double> output(at(layer.output.size()));
    if (layer.kind == Kind::max_pooling) {
        const std::vector<int64_t> from = winners(layer, input);
        for (std::size_t i = 0; i < output.size(); ++i) output[i] = input[at(from[i])];
        return output;
    }
    const int64_t channels = layer.input.channels, filters = layer.output.channels;
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = weights.bias[i % at(filters)];
    for_windows(layer, [&](int64_t to, int64_t from, int64_t place) {
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t f = 0; f < filters; ++f) {
                output[at(to * filters + f)] +=
                    input[at(from * channels + c)] * weights.kernel[at((place * channels + c) * filters + f)];
            }
        }
    });
    if (layer.relu) {
        for (double& value : output) value = std::max(value, 0.0);
    }
    return output;
}

// From the gradient by a layer's output to that by its input, adding those by its weights to `sums`.
std::vector<double> backward(const Layer& layer, const Weights& weights, const std::vector<double>& input,
                             const std::vector<double>& output, std::vector<double> gradient, Weights& sums) {
    if (layer.kind == Kind::flatten) return gradient;
    std::vector<double> by_input(input.size());
    if (layer.kind == Kind::max_pooling) {
        const std::vector<int64_t> from = winners(layer, input);
        for (std::size_t i = 0; i < gradient.size(); ++i) by_input[at(from[i])] += gradient[i];
        return by_input;
    }
    const int64_t channels = layer.input.channels, filters = layer.output.channels;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        if (layer.relu && output[i] <= 0) gradient[i] = 0;
        sums.bias[i % at(filters)] += gradient[i];
    }
    for_windows(layer, [&](int64_t to, int64_t from, int64_t place) {
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t f = 0; f < filters; ++f) {
                const std::size_t weight = at((place * channels + c) * filters + f);
                sums.kernel[weight] += input[at(from * channels + c)] * gradient[at(to * filters + f)];
                by_input[at(from * channels + c)] += gradient[at(to * filters + f)] * weights.kernel[weight];
            }
        }
    });
    return by_input;
}

std::vector<double> normalised(const Architecture& architecture, const uint8_t* image) {
    std::vector<double> values(at(architecture.input.shape.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] =
            image[i] * static_cast<double>(architecture.input.scale) + static_cast<double>(architecture.input.offset);
    }
    return values;
}

}  // namespace

Architecture::Architecture(int64_t height, int64_t width, int64_t channels)
    : input{{height, width, channels}, 1.0f / 255, -0.25f} {}

Layer& Architecture::append(Kind kind, Shape output) {
    Layer layer;
    layer.kind = kind;
    layer.input = layers.empty() ? input.shape : layers.back().output;
    layer.output = output;
    layers.push_back(layer);
    return layers.back();
}

Architecture& Architecture::convolution(int64_t filters, int64_t rows, int64_t columns, bool relu, bool same,
                                        int64_t stride_down, int64_t stride_right) {
    const Shape from = layers.empty() ? input.shape : layers.back().output;
    auto places = [&](int64_t size, int64_t window, int64_t stride) {
        return same ? (size + stride - 1) / stride : (size - window) / stride + 1;
    };
    const Shape to = {places(from.height, rows, stride_down), places(from.width, columns, stride_right), filters};
    Layer& layer = append(Kind::convolution, to);
    layer.window[0] = rows, layer.window[1] = columns;
    layer.stride[0] = stride_down, layer.stride[1] = stride_right;
    if (same) {
        layer.padding[0] = std::max<int64_t>((to.height - 1) * stride_down + rows - from.height, 0) / 2;
        layer.padding[1] = std::max<int64_t>((to.width - 1) * stride_right + columns - from.width, 0) / 2;
    }
    layer.relu = relu;
    return *this;
}

Architecture& Architecture::max_pooling(int64_t rows, int64_t columns, int64_t stride_down, int64_t stride_right) {
    const Shape from = layers.empty() ? input.shape : layers.back().output;
    Layer& layer = append(Kind::max_pooling, {(from.height - rows) / stride_down + 1,
                                              (from.width - columns) / stride_right + 1, from.channels});
    layer.window[0] = rows, layer.window[1] = columns;
    layer.stride[0] = stride_down, layer.stride[1] = stride_right;
    return *this;
}

Architecture& Architecture::flatten() {
    append(Kind::flatten, {1, 1, (layers.empty() ? input.shape : layers.back().output).size()});
    return *this;
}

Architecture& Architecture::dense(int64_t units, bool relu) {
    append(Kind::dense, {1, 1, units}).relu = relu;
    return *this;
}

std::vector<Weights> random_weights(const Architecture& architecture, uint64_t seed) {
    Random random(seed);
    std::vector<Weights> weights;
    for (const Layer& layer : architecture.layers) {
        Weights all;
        if (layer.has_weights()) {
            const int64_t inputs = layer.window[0] * layer.window[1] * layer.input.channels;
            const float size = std::sqrt(6.0f / static_cast<float>(inputs));
            for (int64_t i = 0; i < inputs * layer.output.channels; ++i) {
                all.kernel.push_back(static_cast<double>(size * random.number()));
            }
            for (int64_t i = 0; i < layer.output.channels; ++i) {
                all.bias.push_back(static_cast<double>(0.25f * random.number()));
            }
        }
        weights.push_back(all);
    }
    return weights;
}

std::vector<std::vector<double>> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                                         const uint8_t* image) {
    std::vector<std::vector<double>> outputs;
    for (std::size_t l = 0; l < architecture.layers.size(); ++l) {
        outputs.push_back(
            forward(architecture.layers[l], weights[l], l == 0 ? normalised(architecture, image) : outputs.back()));
    }
    return outputs;
}

double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights, const uint8_t* image,
                     int64_t label, double scale, std::vector<Weights>& gradients) {
    const std::vector<double> first = normalised(architecture, image);
    const std::vector<std::vector<double>> values = outputs(architecture, weights, image);
    std::vector<double> gradient = values.back();
    double sum = 0;
    for (double logit : values.back()) sum += std::exp(logit);
    for (double& logit : gradient) logit = std::exp(logit) / sum * scale;
    gradient[at(label)] -= scale;
    for (std::size_t l = architecture.layers.size(); l-- > 0;) {
        gradient = backward(architecture.layers[l], weights[l], l == 0 ? first : values[l - 1], values[l], gradient,
                            gradients[l]);
    }
    return std::log(sum) - values.back()[at(label)];
}

std::vector<Weights> zeros_like(const std::vector<Weights>& weights) {
    std::vector<Weights> zeros = weights;
    for (Weights& layer : zeros) {
        std::fill(layer.kernel.begin(), layer.kernel.end(), 0.0);
        std::fill(layer.bias.begin(), layer.bias.end(), 0.0);
    }
    return zeros;
}

}  // namespace convscope::test
