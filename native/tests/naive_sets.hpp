// Normalisation of the numbers of an image by their own mean and variance, in double and plain loops.
#pragma once

#include <cmath>
#include <utility>

#include "naive_layers.hpp"

namespace convscope::test {

inline bool normalizes_images(const Layer& layer) {
    return layer.kind == Kind::layer_normalization || layer.kind == Kind::group_normalization;
}

// Returns the set of each number of a map that is normalised by itself: its pixel, or its group of channels.
inline std::vector<std::size_t> sets_of(const Layer& layer) {
    std::vector<std::size_t> sets;
    for (int64_t i = 0; i < layer.input.size(); ++i) {
        const int64_t pixel = i / layer.input.channels, channel = i % layer.input.channels;
        sets.push_back(static_cast<std::size_t>(layer.kind == Kind::layer_normalization ? pixel : channel * layer.groups / layer.input.channels));
    }
    return sets;
}

// Returns the mean over its set for each number.
inline Numbers means_over_sets(const std::vector<std::size_t>& sets, const Numbers& numbers) {
    Numbers sums(numbers.size()), counts(numbers.size()), means;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        sums[sets[i]] += numbers[i];
        ++counts[sets[i]];
    }
    for (std::size_t set : sets) means.push_back(sums[set] / counts[set]);
    return means;
}

// Returns a * b, number by number.
inline Numbers times(Numbers a, const Numbers& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
    return a;
}

// Returns h = (x - mean) / deviation for each number x, and the deviation of its set, sqrt(variance + epsilon).
inline std::pair<Numbers, Numbers> standardise_sets(const Layer& layer, const Numbers& input) {
    const std::vector<std::size_t> sets = sets_of(layer);
    const Numbers means = means_over_sets(sets, input);
    Numbers h = input;
    for (std::size_t i = 0; i < h.size(); ++i) h[i] -= means[i];
    Numbers deviations = means_over_sets(sets, times(h, h));
    for (double& deviation : deviations) deviation = std::sqrt(deviation + layer.epsilon);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] /= deviations[i];
    return {h, deviations};
}

}  // namespace convscope::test
