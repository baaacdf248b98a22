#include "naive_network.hpp"

#include <algorithm>
#include <cmath>

#include "naive_activation.hpp"
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

// How many pixels of the map each window sees.
std::vector<double> window_sizes(const Layer& layer) {
    std::vector<double> sizes(at(layer.output.height * layer.output.width));
    for_windows(layer, [&](int64_t to, int64_t, int64_t) { ++sizes[at(to)]; });
    return sizes;
}

// Calls visit(output number, input number, weight) for all that a layer with weights multiplies.
template <class Visit>
void for_products(const Layer& layer, Visit visit) {
    const int64_t channels = layer.input.channels, filters = layer.output.channels;
    const int64_t multiplier = filters / channels;
    for_windows(layer, [&](int64_t to, int64_t from, int64_t place) {
        for (int64_t c = 0; c < channels; ++c) {
            if (layer.kind == Kind::depthwise) {
                for (int64_t f = c * multiplier; f < (c + 1) * multiplier; ++f) {
                    visit(at(to * filters + f), at(from * channels + c), at(place * filters + f));
                }
                continue;
            }
            for (int64_t f = 0; f < filters; ++f) {
                visit(at(to * filters + f), at(from * channels + c), at((place * channels + c) * filters + f));
            }
        }
    });
}

// What a layer computes before its activation.
std::vector<double> sums(const Layer& layer, const Weights& weights, const std::vector<double>& input) {
    if (layer.kind == Kind::flatten || layer.kind == Kind::dropout) return input;
    std::vector<double> output(at(layer.output.size()));
    if (layer.kind == Kind::max_pooling) {
        const std::vector<int64_t> from = winners(layer, input);
        for (std::size_t i = 0; i < output.size(); ++i) output[i] = input[at(from[i])];
        return output;
    }
    if (layer.kind == Kind::average_pooling) {
        const std::vector<double> sizes = window_sizes(layer);
        const int64_t channels = layer.input.channels;
        for_windows(layer, [&](int64_t to, int64_t from, int64_t) {
            for (int64_t c = 0; c < channels; ++c) {
                output[at(to * channels + c)] += input[at(from * channels + c)] / sizes[at(to)];
            }
        });
        return output;
    }
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = weights.bias[i % weights.bias.size()];
    for_products(layer, [&](std::size_t to, std::size_t from, std::size_t weight) {
        output[to] += input[from] * weights.kernel[weight];
    });
    return output;
}

std::vector<double> forward(const Layer& layer, const Weights& weights, const std::vector<double>& input) {
    std::vector<double> output = sums(layer, weights, input);
    for (double& value : output) value = layer.relu ? std::max(value, 0.0) : activated(layer.activation, value);
    return output;
}

// From the gradient by a layer's output to that by its input, adding those by its weights to `gradients`.
std::vector<double> backward(const Layer& layer, const Weights& weights, const std::vector<double>& input,
                             std::vector<double> gradient, Weights& gradients) {
    const std::vector<double> before = sums(layer, weights, input);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
        gradient[i] *= layer.relu ? (before[i] > 0 ? 1 : 0) : derivative(layer.activation, before[i]);
    }
    if (layer.kind == Kind::flatten || layer.kind == Kind::dropout) return gradient;
    std::vector<double> by_input(input.size());
    if (layer.kind == Kind::max_pooling) {
        const std::vector<int64_t> from = winners(layer, input);
        for (std::size_t i = 0; i < gradient.size(); ++i) by_input[at(from[i])] += gradient[i];
        return by_input;
    }
    if (layer.kind == Kind::average_pooling) {
        const std::vector<double> sizes = window_sizes(layer);
        const int64_t channels = layer.input.channels;
        for_windows(layer, [&](int64_t to, int64_t from, int64_t) {
            for (int64_t c = 0; c < channels; ++c) {
                by_input[at(from * channels + c)] += gradient[at(to * channels + c)] / sizes[at(to)];
            }
        });
        return by_input;
    }
    for (std::size_t i = 0; i < gradient.size(); ++i) gradients.bias[i % gradients.bias.size()] += gradient[i];
    for_products(layer, [&](std::size_t to, std::size_t from, std::size_t weight) {
        gradients.kernel[weight] += input[from] * gradient[to];
        by_input[from] += gradient[to] * weights.kernel[weight];
    });
    return by_input;
}

// Number `number` of the sequence `start`, as dropout counts them.
uint64_t bits(uint64_t start, int64_t number) {
    return Random(start + static_cast<uint64_t>(number) * 0x9e3779b97f4a7c15u).bits();
}

// Multiplies a dropout layer's numbers, or their gradient, by nothing or by what keeps the mean.
void drop(const Layer& layer, int64_t layer_number, const Drops& drops, std::vector<double>& numbers) {
    Random sequence(bits(bits(drops.key, layer_number), drops.place));
    for (double& number : numbers) {
        const bool kept = static_cast<int64_t>(sequence.bits() >> 40) >= layer.dropped;
        number *= kept ? 1 / (1 - static_cast<double>(layer.dropped) / (1 << 24)) : 0;
    }
}

std::vector<double> normalised(const Architecture& architecture, const uint8_t* image) {
    std::vector<double> values(at(architecture.input.shape.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] =
            image[i] * static_cast<double>(architecture.input.scale) + static_cast<double>(architecture.input.offset);
    }
    return values;
}

std::vector<std::vector<double>> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                                         const uint8_t* image, const Lesion& lesion, const Drops* drops) {
    std::vector<std::vector<double>> outputs;
    for (std::size_t l = 0; l < architecture.layers.size(); ++l) {
        const Layer& layer = architecture.layers[l];
        outputs.push_back(forward(layer, weights[l], l == 0 ? normalised(architecture, image) : outputs.back()));
        if (drops != nullptr && layer.kind == Kind::dropout) {
            drop(layer, static_cast<int64_t>(l), *drops, outputs.back());
        }
        for (const Replacement& replacement : lesion) {
            if (replacement.layer != l) continue;
            for (std::size_t i = at(replacement.filter); i < outputs[l].size(); i += at(layer.output.channels)) {
                outputs[l][i] = static_cast<double>(replacement.value);
            }
        }
    }
    return outputs;
}

// From the gradient by the logits to those by the image and every layer's output, adding those by weights to `gradients`.
std::vector<std::vector<double>> back_through_all(const Architecture& architecture, const std::vector<Weights>& weights,
                                                  const uint8_t* image, const std::vector<double>& dlogits,
                                                  const Drops* drops, std::vector<Weights>& gradients) {
    const std::vector<double> first = normalised(architecture, image);
    const std::vector<std::vector<double>> values = outputs(architecture, weights, image, {}, drops);
    std::vector<std::vector<double>> by_layer(values.size() + 1);
    by_layer.back() = dlogits;
    for (std::size_t l = values.size(); l-- > 0;) {
        const Layer& layer = architecture.layers[l];
        std::vector<double> gradient = by_layer[l + 1];
        if (drops != nullptr && layer.kind == Kind::dropout) drop(layer, static_cast<int64_t>(l), *drops, gradient);
        by_layer[l] = backward(layer, weights[l], l == 0 ? first : values[l - 1], gradient, gradients[l]);
    }
    return by_layer;
}

}  // namespace

Architecture::Architecture(int64_t height, int64_t width, int64_t channels)
    : input{{height, width, channels}, 1.0f / 255, -0.25f} {}

Layer& Architecture::append(Kind kind, Shape output) {
    Layer layer;
    layer.kind = kind;
    layer.input = last();
    layer.output = output;
    layers.push_back(layer);
    return layers.back();
}

Layer& Architecture::append_window(Kind kind, int64_t channels, int64_t rows, int64_t columns, Moves moves) {
    const int64_t in[] = {last().height, last().width}, window[] = {rows, columns},
                  stride[] = {moves.down, moves.right};
    int64_t out[2], padding[] = {0, 0};
    for (int axis = 0; axis < 2; ++axis) {
        out[axis] =
            moves.same ? (in[axis] + stride[axis] - 1) / stride[axis] : (in[axis] - window[axis]) / stride[axis] + 1;
        if (moves.same) {
            padding[axis] = std::max<int64_t>((out[axis] - 1) * stride[axis] + window[axis] - in[axis], 0) / 2;
        }
    }
    Layer& layer = append(kind, {out[0], out[1], channels});
    layer.window = {window[0], window[1]};
    layer.stride = {stride[0], stride[1]};
    layer.padding = {padding[0], padding[1]};
    return layer;
}

Architecture& Architecture::convolution(int64_t filters, int64_t rows, int64_t columns, bool relu, Moves moves) {
    append_window(Kind::convolution, filters, rows, columns, moves).relu = relu;
    return *this;
}

Architecture& Architecture::depthwise(int64_t multiplier, int64_t rows, int64_t columns, bool relu, Moves moves) {
    append_window(Kind::depthwise, multiplier * last().channels, rows, columns, moves).relu = relu;
    return *this;
}

Architecture& Architecture::max_pooling(int64_t rows, int64_t columns, Moves moves) {
    append_window(Kind::max_pooling, last().channels, rows, columns, moves);
    return *this;
}

Architecture& Architecture::average_pooling(int64_t rows, int64_t columns, Moves moves) {
    append_window(Kind::average_pooling, last().channels, rows, columns, moves);
    return *this;
}

Architecture& Architecture::dropout(double chance) {
    append(Kind::dropout, last()).dropped = std::llround(chance * (1 << 24));
    return *this;
}

Architecture& Architecture::activated(Activation activation) {
    layers.back().activation = activation;
    return *this;
}

Architecture& Architecture::flatten() {
    append(Kind::flatten, {1, 1, last().size()});
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
            const int64_t places = layer.window[0] * layer.window[1];
            const int64_t inputs = layer.kind == Kind::depthwise ? places : places * layer.input.channels;
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
                                         const uint8_t* image, const Lesion& lesion) {
    return outputs(architecture, weights, image, lesion, nullptr);
}

std::vector<std::vector<double>> layer_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                                                 const uint8_t* image, const std::vector<double>& dlogits) {
    std::vector<Weights> unused = zeros_like(weights);
    return back_through_all(architecture, weights, image, dlogits, nullptr, unused);
}

double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights, const uint8_t* image,
                     int64_t label, double scale, std::vector<Weights>& gradients, const Drops* drops) {
    const std::vector<double> logits = outputs(architecture, weights, image, {}, drops).back();
    std::vector<double> gradient = logits;
    double sum = 0;
    for (double logit : logits) sum += std::exp(logit);
    for (double& logit : gradient) logit = std::exp(logit) / sum * scale;
    gradient[at(label)] -= scale;
    back_through_all(architecture, weights, image, gradient, drops, gradients);
    return std::log(sum) - logits[at(label)];
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
