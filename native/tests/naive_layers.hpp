// The mathematics of one layer in double and plain loops, written without a look at the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "layers/layer.hpp"

namespace convscope::test {

using Numbers = std::vector<double>;  // of one image: a map (rows, columns, channels)

// Of one layer, in Keras layout: kernel (rows, columns, channels, filters), of a depthwise convolution (rows, columns,
// channels, outputs of a channel); bias (filters). Of batch normalisation kernel is gamma and bias beta, and what
// inference knows of the input's channels stands beside them. Empty for a layer without.
struct Weights {
    Numbers kernel, bias;
    Numbers moving_means = {}, moving_variances = {};
};

// What a layer reads of some images: the output of the layer before, and that of the layer which an addition adds.
struct Reads {
    std::vector<Numbers> input, added;
};

// By channel, over all places of all images.
struct Moments {
    Numbers means, variances;
};

Moments batch_moments(const Layer& layer, const std::vector<Numbers>& input);

// With `of_batch` batch normalisation goes by the images' own moments, else by the moving ones. Dropout drops nothing
// here.
std::vector<Numbers> forward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch);

// From the gradient by a layer's output to that by its input (of an addition, by either), adding those by its weights
// to `gradients`.
std::vector<Numbers> backward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch,
                              std::vector<Numbers> gradient, Weights& gradients);

// How far the images are from where the layer's gradient jumps, and where rounding decides on which side they are: the
// least distance from zero before a relu, or from the largest of a pooling's window. What is exactly there is so by any
// rounding.
double distance_from_jumps(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch);

}  // namespace convscope::test
