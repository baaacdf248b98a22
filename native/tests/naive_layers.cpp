#include "naive_layers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "naive_activation.hpp"
#include "naive_sets.hpp"

namespace convscope::test {

namespace {

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

// Calls visit(output pixel, input pixel, tap), all as indices, for each input pixel that a window reads; padding is
// left out. A tap is a pixel of the window: tap r * columns + s is at row r and column s.
template <class Visit>
void for_windows(const Layer& layer, Visit visit) {
    for (int64_t y = 0; y < layer.output.height; ++y) {
        for (int64_t x = 0; x < layer.output.width; ++x) {
            for (int64_t r = 0; r < layer.window[0]; ++r) {
                for (int64_t s = 0; s < layer.window[1]; ++s) {
                    const int64_t row = y * layer.stride[0] + r * layer.dilation[0] - layer.padding[0];
                    const int64_t column = x * layer.stride[1] + s * layer.dilation[1] - layer.padding[1];
                    if (row < 0 || row >= layer.input.height || column < 0 || column >= layer.input.width) continue;
                    visit(y * layer.output.width + x, row * layer.input.width + column, r * layer.window[1] + s);
                }
            }
        }
    }
}

// Returns for each output number of a max pooling the index of the input number that it copies: the first maximum.
std::vector<int64_t> winners(const Layer& layer, const Numbers& input) {
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

// Returns how many pixels of the map each window reads.
std::vector<double> window_sizes(const Layer& layer) {
    std::vector<double> sizes(at(layer.output.height * layer.output.width));
    for_windows(layer, [&](int64_t to, int64_t, int64_t) { ++sizes[at(to)]; });
    return sizes;
}

// Calls visit(output, input, weight), all as indices, for each product that a layer with weights adds to an output.
template <class Visit>
void for_products(const Layer& layer, Visit visit) {
    const int64_t channels = layer.input.channels, filters = layer.output.channels;
    const int64_t multiplier = filters / channels;
    const int64_t group_channels = channels / layer.groups, group_filters = filters / layer.groups;
    for_windows(layer, [&](int64_t to, int64_t from, int64_t tap) {
        for (int64_t c = 0; c < channels; ++c) {
            if (layer.kind == Kind::depthwise) {
                for (int64_t f = c * multiplier; f < (c + 1) * multiplier; ++f) {
                    visit(at(to * filters + f), at(from * channels + c), at(tap * filters + f));
                }
                continue;
            }
            // Channel c belongs to group c / group_channels, and is channel c % group_channels of the group's filters.
            const int64_t first = c / group_channels * group_filters, row = tap * group_channels + c % group_channels;
            for (int64_t f = first; f < first + group_filters; ++f) {
                visit(at(to * filters + f), at(from * channels + c), at(row * filters + f));
            }
        }
    });
}

// Calls visit(output, input), both as indices, for each number that a zero padding copies.
template <class Visit>
void for_inner(const Layer& layer, Visit visit) {
    std::size_t from = 0;
    for (int64_t y = 0; y < layer.input.height; ++y) {
        for (int64_t x = 0; x < layer.input.width; ++x) {
            const int64_t to = (y + layer.padding[0]) * layer.output.width + x + layer.padding[1];
            for (int64_t c = 0; c < layer.input.channels; ++c) visit(at(to * layer.input.channels + c), from++);
        }
    }
}

// Returns the softmax of each member's logits, one member after another.
Numbers member_probabilities(const Layer& layer, const Numbers& logits) {
    const std::size_t classes = at(layer.output.size());
    Numbers probabilities(logits.size());
    for (std::size_t first = 0; first < logits.size(); first += classes) {
        double sum = 0;
        for (std::size_t k = first; k < first + classes; ++k) sum += std::exp(logits[k]);
        for (std::size_t k = first; k < first + classes; ++k) probabilities[k] = std::exp(logits[k]) / sum;
    }
    return probabilities;
}

// Whether a layer's output before the activation is its input. `Pass` in naive_network.cpp chooses the input of the
// joining layers and drops the values of dropout.
bool passes_input_on(const Layer& layer) {
    return layer.kind == Kind::flatten || layer.kind == Kind::dropout || layer.kind == Kind::activation ||
           layer.kind == Kind::branch || layer.kind == Kind::concatenation;
}

// Computes an image's output before the activation, for layers that compute images independently.
Numbers image_forward(const Layer& layer, const Weights& weights, const Numbers& input) {
    if (passes_input_on(layer)) return input;
    Numbers output(at(layer.output.size()));
    if (layer.kind == Kind::prelu) {
        for (std::size_t i = 0; i < input.size(); ++i) {
            output[i] = input[i] > 0 ? input[i] : weights.kernel[i % weights.kernel.size()] * input[i];
        }
        return output;
    }
    if (normalizes_images(layer)) {
        output = standardise_sets(layer, input).first;
        for (std::size_t i = 0; i < output.size(); ++i) {
            const std::size_t c = i % weights.kernel.size();
            output[i] = output[i] * weights.kernel[c] + weights.bias[c];
        }
        return output;
    }
    if (layer.kind == Kind::zero_padding) {
        for_inner(layer, [&](std::size_t to, std::size_t from) { output[to] = input[from]; });
        return output;
    }
    if (layer.kind == Kind::soft_voting) {
        const Numbers probabilities = member_probabilities(layer, input);
        const std::size_t classes = output.size(), members = input.size() / classes;
        for (std::size_t i = 0; i < input.size(); ++i) {
            output[i % classes] += probabilities[i] / static_cast<double>(members);
        }
        double log_sums = 0;  // over the members, each log Σ exp: a logit less the logarithm of its probability
        for (std::size_t i = 0; i < members; ++i) log_sums += input[i * classes] - std::log(probabilities[i * classes]);
        for (double& value : output) value = std::log(value) + log_sums / static_cast<double>(members);
        return output;
    }
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

// Computes the gradient with respect to the input from the gradient before the activation, and adds the gradients of
// the weights to `gradients`.
Numbers image_backward(const Layer& layer, const Weights& weights, const Numbers& input, const Numbers& gradient,
                       Weights& gradients) {
    if (passes_input_on(layer)) return gradient;
    Numbers input_gradient(input.size());
    if (layer.kind == Kind::prelu) {
        for (std::size_t i = 0; i < input.size(); ++i) {
            const std::size_t c = i % weights.kernel.size();
            input_gradient[i] = input[i] > 0 ? gradient[i] : weights.kernel[c] * gradient[i];
            if (input[i] <= 0) gradients.kernel[c] += input[i] * gradient[i];
        }
        return input_gradient;
    }
    if (normalizes_images(layer)) {
        // With g = gamma dy: dx = (g - mean g - h mean g h) / deviation, with the means over the set.
        const auto [h, deviations] = standardise_sets(layer, input);
        Numbers g = gradient;
        for (std::size_t i = 0; i < g.size(); ++i) {
            const std::size_t c = i % weights.kernel.size();
            gradients.kernel[c] += gradient[i] * h[i];
            gradients.bias[c] += gradient[i];
            g[i] *= weights.kernel[c];
        }
        const std::vector<std::size_t> sets = sets_of(layer);
        const Numbers means = means_over_sets(sets, g), products = means_over_sets(sets, times(g, h));
        for (std::size_t i = 0; i < g.size(); ++i) {
            input_gradient[i] = (g[i] - means[i] - h[i] * products[i]) / deviations[i];
        }
        return input_gradient;
    }
    if (layer.kind == Kind::zero_padding) {
        for_inner(layer, [&](std::size_t to, std::size_t from) { input_gradient[from] = gradient[to]; });
        return input_gradient;
    }
    if (layer.kind == Kind::soft_voting) {
        // d log(mean p) / d x[j] is p[j] ([j = k] - p[k]) / (members mean p), and d log Σ exp(x) / d x[j] is p[j].
        const Numbers p = member_probabilities(layer, input);
        const std::size_t classes = gradient.size();
        const double members = static_cast<double>(input.size() / classes);
        Numbers means(classes);
        for (std::size_t i = 0; i < p.size(); ++i) means[i % classes] += p[i] / members;
        for (std::size_t i = 0; i < p.size(); ++i) {
            for (std::size_t k = 0; k < classes; ++k) {
                const std::size_t j = i / classes * classes + k;
                const double change = p[i] * ((j == i ? 1.0 : 0.0) - p[j]);
                input_gradient[i] += gradient[k] * (change / (members * means[k]) + p[i] / members);
            }
        }
        return input_gradient;
    }
    if (layer.kind == Kind::max_pooling) {
        const std::vector<int64_t> from = winners(layer, input);
        for (std::size_t i = 0; i < gradient.size(); ++i) input_gradient[at(from[i])] += gradient[i];
        return input_gradient;
    }
    if (layer.kind == Kind::average_pooling) {
        const std::vector<double> sizes = window_sizes(layer);
        const int64_t channels = layer.input.channels;
        for_windows(layer, [&](int64_t to, int64_t from, int64_t) {
            for (int64_t c = 0; c < channels; ++c) {
                input_gradient[at(from * channels + c)] += gradient[at(to * channels + c)] / sizes[at(to)];
            }
        });
        return input_gradient;
    }
    for (std::size_t i = 0; i < gradient.size(); ++i) gradients.bias[i % gradients.bias.size()] += gradient[i];
    for_products(layer, [&](std::size_t to, std::size_t from, std::size_t weight) {
        gradients.kernel[weight] += input[from] * gradient[to];
        input_gradient[from] += gradient[to] * weights.kernel[weight];
    });
    return input_gradient;
}

// Returns h = (x - mean) / sqrt(variance + epsilon) for each number x, with the moments of its channel.
std::vector<Numbers> standardise(const Layer& layer, const Moments& moments, std::vector<Numbers> images) {
    for (Numbers& image : images) {
        for (std::size_t i = 0; i < image.size(); ++i) {
            const std::size_t c = i % moments.means.size();
            image[i] = (image[i] - moments.means[c]) / std::sqrt(moments.variances[c] + layer.epsilon);
        }
    }
    return images;
}

Moments choose_moments(const Layer& layer, const Weights& weights, const std::vector<Numbers>& input, bool of_batch) {
    return of_batch ? batch_moments(layer, input) : Moments{weights.moving_means, weights.moving_variances};
}

// Computes a layer's output before the activation, by image.
std::vector<Numbers> before_activation(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch) {
    std::vector<Numbers> output;
    switch (layer.kind) {
        case Kind::normalization:
            output = standardise(layer, choose_moments(layer, weights, reads.input, of_batch), reads.input);
            for (Numbers& image : output) {
                for (std::size_t i = 0; i < image.size(); ++i) {
                    const std::size_t c = i % weights.kernel.size();
                    image[i] = image[i] * weights.kernel[c] + weights.bias[c];
                }
            }
            return output;
        case Kind::addition:
            output = reads.input;
            for (std::size_t n = 0; n < output.size(); ++n) {
                for (std::size_t i = 0; i < output[n].size(); ++i) output[n][i] += reads.added[n][i];
            }
            return output;
        case Kind::multiplication:
            output = reads.added;
            for (std::size_t n = 0; n < output.size(); ++n) {  // a number for each channel, if they are fewer
                for (std::size_t i = 0; i < output[n].size(); ++i) output[n][i] *= reads.input[n][i % reads.input[n].size()];
            }
            return output;
        default:
            for (const Numbers& image : reads.input) output.push_back(image_forward(layer, weights, image));
            return output;
    }
}

// With h the standardised numbers and g the gradient, both of one channel, and sums over the channel's n pixels:
//     dgamma = sum g h    dbeta = sum g    dx = gamma / sqrt(variance + epsilon) (g - sum g / n - h sum(g h) / n)
// The last two terms come from mean and variance, which depend on x; without `of_batch` they do not, and the terms
// vanish. Source: Ioffe and Szegedy 2015, section 3.
std::vector<Numbers> normalization_backward(const Layer& layer, const Weights& weights, const Reads& reads,
                                            bool of_batch, std::vector<Numbers> gradient, Weights& gradients) {
    const Moments moments = choose_moments(layer, weights, reads.input, of_batch);
    const std::vector<Numbers> h = standardise(layer, moments, reads.input);
    const std::size_t channels = weights.kernel.size();
    const double pixels = static_cast<double>(h.size() * (h[0].size() / channels));
    Numbers sums(channels), products(channels);
    for (std::size_t n = 0; n < h.size(); ++n) {
        for (std::size_t i = 0; i < h[n].size(); ++i) {
            sums[i % channels] += gradient[n][i];
            products[i % channels] += gradient[n][i] * h[n][i];
        }
    }
    for (std::size_t c = 0; c < channels; ++c) {
        gradients.kernel[c] += products[c];
        gradients.bias[c] += sums[c];
    }
    for (std::size_t n = 0; n < h.size(); ++n) {
        for (std::size_t i = 0; i < h[n].size(); ++i) {
            const std::size_t c = i % channels;
            if (of_batch) gradient[n][i] -= (sums[c] + h[n][i] * products[c]) / pixels;
            gradient[n][i] *= weights.kernel[c] / std::sqrt(moments.variances[c] + layer.epsilon);
        }
    }
    return gradient;
}

}  // namespace

Moments batch_moments(const Layer& layer, const std::vector<Numbers>& input) {
    const std::size_t channels = at(layer.input.channels);
    const double pixels = static_cast<double>(input.size() * (input[0].size() / channels));
    Moments moments = {Numbers(channels), Numbers(channels)};
    for (const Numbers& image : input) {
        for (std::size_t i = 0; i < image.size(); ++i) moments.means[i % channels] += image[i] / pixels;
    }
    for (const Numbers& image : input) {
        for (std::size_t i = 0; i < image.size(); ++i) {
            const double distance = image[i] - moments.means[i % channels];
            moments.variances[i % channels] += distance * distance / pixels;
        }
    }
    return moments;
}

std::vector<Numbers> forward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch) {
    std::vector<Numbers> output = before_activation(layer, weights, reads, of_batch);
    for (Numbers& image : output) {
        for (double& value : image) {
            value = layer.relu ? std::max(value, 0.0) : activated(layer.activation, layer.slope, value);
        }
    }
    return output;
}

std::vector<Numbers> backward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch,
                              std::vector<Numbers> gradient, Weights& gradients) {
    const std::vector<Numbers> before = before_activation(layer, weights, reads, of_batch);
    for (std::size_t n = 0; n < before.size(); ++n) {
        for (std::size_t i = 0; i < before[n].size(); ++i) {
            const double x = before[n][i];
            gradient[n][i] *= layer.relu ? (x > 0 ? 1 : 0) : derivative(layer.activation, layer.slope, x);
        }
    }
    if (layer.kind == Kind::addition || layer.kind == Kind::multiplication) return gradient;
    if (layer.kind == Kind::normalization) {
        return normalization_backward(layer, weights, reads, of_batch, std::move(gradient), gradients);
    }
    for (std::size_t n = 0; n < gradient.size(); ++n) {
        gradient[n] = image_backward(layer, weights, reads.input[n], gradient[n], gradients);
    }
    return gradient;
}

double distance_from_jumps(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch) {
    double smallest = std::numeric_limits<double>::infinity();
    const auto include = [&](double distance) {
        if (distance != 0) smallest = std::min(smallest, std::fabs(distance));
    };
    for (const Numbers& image : before_activation(layer, weights, reads, of_batch)) {
        for (double value : image) include(distance_from_jump(layer.relu ? Activation::relu : layer.activation, value));
    }
    if (layer.kind == Kind::prelu) {
        for (const Numbers& image : reads.input) {
            for (double value : image) include(value);
        }
    }
    if (layer.kind != Kind::max_pooling) return smallest;
    const int64_t channels = layer.input.channels;
    for (const Numbers& image : reads.input) {
        const std::vector<int64_t> largest = winners(layer, image);
        for_windows(layer, [&](int64_t to, int64_t from, int64_t) {
            for (int64_t c = 0; c < channels; ++c) {
                include(image[at(largest[at(to * channels + c)])] - image[at(from * channels + c)]);
            }
        });
    }
    return smallest;
}

}  // namespace convscope::test
