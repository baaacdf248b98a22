// A network in double precision and plain loops, with which tests compare the engine's networks. It is written from the
// definitions; network_test.cpp checks its gradients by finite differences.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "ablations.hpp"
#include "naive_layers.hpp"

namespace convscope::test {

// How a window moves over a map: its stride, whether the padding is Keras's "same" or "valid", and its dilation. A
// convolution may have groups.
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
    // Makes the next layer read the output of layer `earlier` (-1: the image).
    Architecture& group_normalization(int64_t groups);  // 0: a layer normalisation
    Architecture& multiplication(int64_t earlier);
    Architecture& branch(int64_t earlier);
    // Joins the channels of layer `earlier` (-1: the image) and, after them, those of the last layer.
    Architecture& concatenation(int64_t earlier);
    // Averages the probabilities of `members` networks, whose logits the last layer holds one network after another.
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

// Returns weights that floats hold exactly, large enough that every layer changes the logits.
std::vector<Weights> random_weights(const Architecture& architecture, uint64_t seed);

// Returns the output of every layer, (rows, columns, channels), for one image, with the ablation's replacements.
std::vector<Numbers> outputs(const Architecture& architecture, const std::vector<Weights>& weights,
                             const uint8_t* image, const Ablation& ablation = {});

// Returns the gradients of sum_k dlogits[k] logits[k] with respect to the image, and then to the output of each layer.
std::vector<Numbers> layer_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                                     const uint8_t* image, const Numbers& dlogits);

// In training, batch normalisations use the batch's own moments, and dropout depends on the epoch's key and on the
// position of an image in the epoch: `position` is that of the batch's first image.
struct Training {
    uint64_t dropout_key = 0;
    int64_t position = 0;
};

// Returns the sum of the images' cross-entropies, and adds `scale` times its gradients to `gradients` unless it is
// null. Without `training` nothing is dropped, and normalisations use the moving statistics.
double add_gradients(const Architecture& architecture, const std::vector<Weights>& weights,
                     const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels, double scale,
                     std::vector<Weights>* gradients, const Training* training = nullptr);

struct DescentResult {
    double loss = 0;                                                       // the sum over all images
    double distance_from_jumps = std::numeric_limits<double>::infinity();  // smallest so far, see naive_layers.hpp
};

// Takes steps of gradient descent, one for each batch, and updates the moving statistics. Stops early if a number is
// nearer to a jump of the gradient than `min_distance`.
DescentResult train_naively(const Architecture& architecture, std::vector<Weights>& weights,
                            const std::vector<const uint8_t*>& images, const std::vector<int64_t>& labels,
                            int64_t batch_size, double rate, uint64_t dropout_key, double min_distance);

// Returns weights of the same shapes, all zero, without moving statistics.
std::vector<Weights> zeros_like(const std::vector<Weights>& weights);

// The networks with which the engine is tested: see network_cases.cpp.
std::vector<Architecture> network_cases();
std::vector<Architecture> product_and_normalization_cases();  // part of them

}  // namespace convscope::test
