// A network in double and plain loops, written without a look at the engine: what the tests of whole networks hold it
// against. Finite differences prove it in turn.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "ablations.hpp"
#include "naive_layers.hpp"

namespace convscope::test {

// How a window moves over a map: its stride, whether the padding is Keras's "same" or "valid", and how far its rows and
// columns lie apart. A convolution may have groups.
struct Moves {
    int64_t down = 1, right = 1;
    bool same = false;
    int64_t row_dilation = 1, column_dilation = 1, groups = 1;
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
    Architecture& normalization(bool relu = false);
    // Adds the output of layer number `earlier`.
    Architecture& addition(int64_t earlier, bool relu = false);
    // Goes on from that output, or from the image, -1; and puts its channels before those of the last layer.
    Architecture& branch(int64_t earlier);
    Architecture& concatenation(int64_t earlier);
    // The logits of an ensemble, of those of so many members in the last layer.
    Architecture& soft_voting(int64_t members);
    Architecture& flatten();
    Architecture& dense(int64_t units, bool relu = false);
    Architecture& zero_padding(int64_t above, int64_t below, int64_t left, int64_t right);
    Architecture& activation(Activation activation, float slope = 0.2f);
    Architecture& prelu();
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

// The output of every layer, (rows, columns, channels), for one image; with the ablation's replacements, if there are
// any.
std::vector<Numbers> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                             const uint8_t* image, const Ablation& ablation = {});

// The gradient of the sum of dlogits[k] logits[k] by the image, and then by the output of every layer.
std::vector<Numbers> layer_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                                     const uint8_t* image, const Numbers& dlogits);

// What training does otherwise: batch normalisation goes by the images that come together, and dropout drops by the
// epoch's key, the first of these images being at `place` in the epoch.
struct Training {
    uint64_t dropout_key = 0;
    int64_t position = 0;
};

// The sum of the images' cross-entropies; adds `scale` times its gradient to `gradients`, if given. Without `training` each image
// is by itself, normalised by the moving statistics and whole.
double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                     const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels, double scale,
                     std::vector<Weights>* gradients, const Training* training = nullptr);

struct Trained {
    double loss = 0;                                                       // of all images
    double distance_from_jumps = std::numeric_limits<double>::infinity();  // the least on the way, see naive_layers.hpp
};

// Takes plain steps down the gradient, batch after batch, and moves the moving statistics. It stops where a number comes
// nearer to a jump than `least_distance`.
Trained train_naively(const Architecture& architecture, std::vector<Weights>& weights,
                      const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels, int64_t batch_size,
                      double rate, uint64_t dropout_key, double least_distance);

// Weights of the same shapes, all zero, without moving statistics.
std::vector<Weights> zeros_like(const std::vector<Weights>& weights);

// Networks to hold the engine against: network_cases.cpp.
std::vector<Architecture> network_cases();

}  // namespace convscope::test
