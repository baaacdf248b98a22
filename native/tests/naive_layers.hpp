// The mathematics of one layer in double precision and plain loops, written from the definitions and not from the
// engine.
#pragma once

#include <cstdint>
#include <vector>

#include "layers/layer.hpp"

namespace convscope::test {

using Numbers = std::vector<double>;  // usually an image's map, (rows, columns, channels)

// A layer's weights in Keras layout: kernel (rows, columns, channels, filters), or for a depthwise convolution (rows,
// columns, channels, outputs of a channel), and bias (filters). A batch normalisation has gamma as its kernel, beta as
// its bias, and moving statistics. Arrays that a layer does not have are empty.
struct Weights {
    Numbers kernel, bias;
    Numbers moving_means = {}, moving_variances = {};
};

// The inputs of a layer, by image: the previous layer's output, and the earlier output that a joining layer reads too.
struct Reads {
    std::vector<Numbers> input, added;
};

// The mean and variance of each channel over all pixels of all images.
struct Moments {
    Numbers means, variances;
};

Moments batch_moments(const Layer& layer, const std::vector<Numbers>& input);

// Computes a layer's output, by image. A batch normalisation uses the images' own moments if `of_batch`, else the
// moving statistics. Dropout does nothing here; naive_network.cpp drops values.
std::vector<Numbers> forward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch);

// Computes the gradient with respect to a layer's input from `gradient`, that with respect to its output, and adds the
// gradients of its weights to `gradients`. The gradient of an addition is the same for both of its inputs; that of a
// multiplication is returned as it is.
std::vector<Numbers> backward(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch,
                              std::vector<Numbers> gradient, Weights& gradients);

// Returns how close the images are to a jump of the layer's gradient, where float and double may fall on different
// sides: the smallest nonzero distance of a number from a jump of its activation's derivative (relu's is at 0), or from
// the largest number of its pooling window. A distance of exactly 0 is left out, since float then has it too.
double distance_from_jumps(const Layer& layer, const Weights& weights, const Reads& reads, bool of_batch);

}  // namespace convscope::test
