// The mathematics of a network in double and plain loops, written without a look at the engine: what the tests of whole
// networks hold it against. Finite differences prove it in turn.
#pragma once

#include <cstdint>
#include <vector>

#include "layer.hpp"

namespace convscope::test {

// Of one layer, in Keras layout: kernel (rows, columns, channels, filters), bias (filters). Empty for a layer without.
struct Weights {
    std::vector<double> kernel, bias;
};

struct Architecture {
    Input input;
    std::vector<Layer> layers;

    Architecture(int64_t height, int64_t width, int64_t channels);
    Architecture& convolution(int64_t filters, int64_t rows, int64_t columns, bool relu = true, bool same = false,
                              int64_t stride_down = 1, int64_t stride_right = 1);
    Architecture& max_pooling(int64_t rows, int64_t columns, int64_t stride_down, int64_t stride_right);
    Architecture& flatten();
    Architecture& dense(int64_t units, bool relu = false);

    int64_t classes() const { return layers.back().output.size(); }

   private:
    Layer& append(Kind kind, Shape output);
};

// Weights that floats hold exactly, large enough for every layer to matter.
std::vector<Weights> random_weights(const Architecture& architecture, uint64_t seed);

// The output of every layer, (rows, columns, channels), for one image.
std::vector<std::vector<double>> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                                         const uint8_t* image);

// The cross-entropy of one image; adds `scale` times its gradient to `gradients`.
double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights, const uint8_t* image,
                     int64_t label, double scale, std::vector<Weights>& gradients);

// Weights of the same shapes, all zero.
std::vector<Weights> zeros_like(const std::vector<Weights>& weights);

}  // namespace convscope::test
