// The mathematics of a network in double and plain loops, written without a look at the engine: what the tests of whole
// networks hold it against. Finite differences prove it in turn.
#pragma once

#include <cstdint>
#include <vector>

#include "layer.hpp"
#include "lesions.hpp"

namespace convscope::test {

// Of one layer, in Keras layout: kernel (rows, columns, channels, filters), of a depthwise convolution (rows, columns,
// channels, outputs of a channel); bias (filters). Empty for a layer without.
struct Weights {
    std::vector<double> kernel, bias;
};

// How a window moves over a map: its stride, and whether the padding is Keras's "same" or "valid".
struct Moves {
    int64_t down = 1, right = 1;
    bool same = false;
};
constexpr Moves same = {1, 1, true};

struct Architecture {
    Input input;
    std::vector<Layer> layers;

    Architecture(int64_t height, int64_t width, int64_t channels);
    Architecture& convolution(int64_t filters, int64_t rows, int64_t columns, bool relu = true, Moves moves = {});
    Architecture& depthwise(int64_t multiplier, int64_t rows, int64_t columns, bool relu = true, Moves moves = {});
    Architecture& max_pooling(int64_t rows, int64_t columns, Moves moves);
    Architecture& average_pooling(int64_t rows, int64_t columns, Moves moves);
    Architecture& dropout(double chance);
    Architecture& flatten();
    Architecture& dense(int64_t units, bool relu = false);
    // Gives the last layer an activation.
    Architecture& activated(Activation activation);

    int64_t classes() const { return layers.back().output.size(); }

   private:
    Shape last() const { return layers.empty() ? input.shape : layers.back().output; }
    Layer& append(Kind kind, Shape output);
    Layer& append_window(Kind kind, int64_t channels, int64_t rows, int64_t columns, Moves moves);
};

// Weights that floats hold exactly, large enough for every layer to matter.
std::vector<Weights> random_weights(const Architecture& architecture, uint64_t seed);

// The output of every layer, (rows, columns, channels), for one image; with the lesion's replacements, if there are any.
// Dropout does nothing.
std::vector<std::vector<double>> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                                         const uint8_t* image, const Lesion& lesion = {});

// The gradient of the sum of dlogits[k] logits[k] by the image, and then by the output of every layer.
std::vector<std::vector<double>> layer_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                                                 const uint8_t* image, const std::vector<double>& dlogits);

// By which key of an epoch numbers are dropped, and the image's place in the epoch.
struct Drops {
    uint64_t key;
    int64_t place;
};

// The cross-entropy of one image; adds `scale` times its gradient to `gradients`. Without `drops` dropout does nothing.
double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights, const uint8_t* image,
                     int64_t label, double scale, std::vector<Weights>& gradients, const Drops* drops = nullptr);

// Weights of the same shapes, all zero.
std::vector<Weights> zeros_like(const std::vector<Weights>& weights);

}  // namespace convscope::test
