// Gradients with respect to the outputs of layers, and ablations (filters whose output is replaced by a constant), of
// whole networks, compared with the naive network.
#include "ablations.hpp"

#include <cmath>

#include "check.hpp"
#include "engine.hpp"
#include "layer_gradients.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr int64_t count = 11;  // not a whole number of slices

// A(height, width, channels), then its layers: convolution(filters, rows, columns, has relu, Moves) with Moves {stride
// down, stride right, "same" padding, row dilation, column dilation, groups}. addition(l), branch(l) and
// concatenation(l) read the output of layer l, counted from 0; -1 is the image.
std::vector<Architecture> architectures() {
    using A = Architecture;
    return {
        // Pooled convolutions and dense layers.
        A(14, 14, 1)
            .convolution(16, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(19, 3, 3, false)
            .activated(Activation::tanh)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(21, true)
            .dense(4),
        // Strides, a depthwise convolution, both poolings and dropout.
        A(13, 11, 2)
            .convolution(5, 3, 3, true, {2, 2, true})
            .max_pooling(2, 2, {1, 1})
            .depthwise(3, 3, 3, true, same)
            .average_pooling(2, 2, {2, 2})
            .dropout(0.5)
            .convolution(7, 1, 2, false)
            .activated(Activation::gelu)
            .max_pooling(2, 1, {1, 1})
            .flatten()
            .dense(3),
        // Batch normalisations and additions, of maps, of vectors and of logits.
        A(7, 8, 2)
            .convolution(16, 3, 3, false)
            .normalization(true)
            .convolution(16, 3, 3, false, same)
            .normalization()
            .addition(1, true)
            .addition(4)
            .activated(Activation::gelu)
            .max_pooling(2, 2, {2, 2})
            .dropout(0.5)
            .addition(7, true)
            .flatten()
            .dense(96)
            .normalization(true)
            .addition(9)
            .dense(3)
            .addition(13, true),
        A(6, 5, 3).flatten().dense(33, true).flatten().dense(2),
        A(6, 6, 2).convolution(8, 3, 3).convolution(5, 4, 4, false).flatten(),
        // Zero paddings and activations as layers.
        A(6, 7, 2)
            .zero_padding(1, 0, 2, 1)
            .convolution(6, 3, 3)
            .activation(Activation::none)
            .addition(1)
            .zero_padding(1, 1, 1, 1)
            .activation(Activation::leaky_relu, 0.4f)
            .convolution(5, 3, 3, false)
            .zero_padding(2, 0, 0, 1)
            .max_pooling(2, 2, {2, 2})
            .activation(Activation::relu)
            .flatten()
            .dense(3)
            .activation(Activation::none),
        // Activations before layers that leave out rows and columns.
        A(9, 10, 2)
            .activation(Activation::sigmoid)
            .convolution(6, 2, 2, false, {1, 2})
            .normalization()
            .activation(Activation::relu)
            .max_pooling(3, 2, {3, 3})
            .flatten()
            .dense(3),
        // Dilation and groups.
        A(11, 12, 4)
            .convolution(8, 3, 3, true, {1, 1, true, 2, 3})
            .convolution(36, 3, 2, false, {1, 1, false, 1, 1, 2})
            .convolution(9, 2, 2, true, {1, 1, true, 2, 2, 9})
            .flatten()
            .dense(3),
        A(9, 8, 9)
            .depthwise(2, 2, 2, true, {1, 1, false, 3, 2})
            .convolution(18, 2, 2, true, {1, 1, true, 1, 1, 18})
            .convolution(6, 3, 3, false, {2, 2, true, 1, 1, 3})
            .flatten()
            .dense(3),
        // Sums of the second dense layer need a little more memory than those of the first.
        A(6, 5, 3).flatten().dense(3, true).dense(4, true).dense(4),
        // Learned slopes.
        A(8, 7, 2)
            .convolution(5, 3, 3, false)
            .prelu()
            .depthwise(1, 2, 2, false)
            .prelu()
            .flatten()
            .prelu()
            .dense(4, true)
            .dense(3),
        // Branches of a map, of the image and of a vector.
        A(9, 8, 2)
            .convolution(7, 3, 3)
            .convolution(6, 3, 3, false, {2, 2, true})
            .normalization()
            .branch(0)
            .convolution(6, 1, 1, false, {2, 2})
            .addition(2, true)
            .flatten()
            .branch(-1)
            .convolution(5, 2, 2)
            .max_pooling(8, 7, {1, 1})
            .concatenation(6)
            .dense(4)
            .branch(10)
            .dense(3)
            .concatenation(11),
    };
}

// A network with random weights, images, gradients of the logits, and ablations: two of each layer alone, one without
// any replacement, and one of several layers.
struct Case {
    Case(const Architecture& architecture, uint64_t seed, const Kernels& kernels)
        : weights(random_weights(architecture, seed)), engine(architecture, weights, kernels) {
        Random random(seed + 1);
        bytes = random.bytes(count * architecture.input.shape.size());
        images.bytes = bytes.data();
        for (int64_t i = 0; i < count * architecture.classes(); ++i) dlogits.push_back(random.number());
        for (std::size_t layer = 0; layer < architecture.layers.size(); ++layer) {
            for (int k = 0; k < 2; ++k) {
                const int64_t filter = random.below(architecture.layers[layer].output.channels);
                ablations.push_back({{layer, filter, random.number()}});
            }
        }
        // Two filters of the first layer and one of every third layer, the last layers first.
        ablations.push_back({});
        Ablation several = {{0, 0, 0.5f}, {0, architecture.layers[0].output.channels - 1, -0.25f}};
        for (std::size_t layer = 2; layer < architecture.layers.size(); layer += 3) {
            several.insert(several.begin(), {layer, 1, random.number()});
        }
        ablations.push_back(several);
    }

    // Returns the logits with each ablation, (ablations, images, classes).
    std::vector<float> ablated(const std::vector<Ablation>& chosen, int threads) {
        std::vector<float> logits(chosen.size() * static_cast<std::size_t>(count * engine.network().classes()));
        CHECK(ablation_logits(engine.network(), threads, images, count, chosen, logits.data(), watcher));
        return logits;
    }

    std::vector<Weights> weights;
    std::vector<uint8_t> bytes;
    std::vector<float> dlogits;
    std::vector<Ablation> ablations;
    Images images;
    Engine engine;
    NeverStop watcher;
};

class StopAtOnce final : public Watcher {
   public:
    bool go_on(const Score&) override { return false; }
};

}  // namespace

TEST(gradients_with_respect_to_layers_and_image_match_the_naive_network) {
    uint64_t seed = 301;
    for (const Architecture& a : architectures()) {
        Case c(a, seed += 2, kernels);
        std::vector<std::vector<float>> gradients;
        std::vector<LayerGradient> wanted;
        for (std::size_t l = 0; l <= a.layers.size(); ++l) {  // 0 is the image, l the output of layer l - 1
            const int64_t size = l == 0 ? a.input.shape.size() : a.layers[l - 1].output.size();
            gradients.emplace_back(static_cast<std::size_t>(count * size));
            wanted.push_back({static_cast<int64_t>(l) - 1, gradients.back().data()});
        }
        LayerGradients together(c.engine.network());
        std::vector<std::vector<float>> first;
        for (int threads : {1, 3}) {
            CHECK(together.compute(threads, c.images, count, c.dlogits.data(), wanted, c.watcher));
            CHECK(first.empty() || gradients == first);
            first = gradients;
        }
        // If only the gradient with respect to the image is wanted, layers are fused.
        std::vector<float> image(gradients[0].size());
        for (int threads : {1, 3}) {
            CHECK(together.compute(threads, c.images, count, c.dlogits.data(), {{-1, image.data()}}, c.watcher));
        }
        for (int64_t i = 0; i < count; ++i) {
            const float* dlogits = c.dlogits.data() + i * a.classes();
            const auto naive = layer_gradients(a, c.weights, c.bytes.data() + i * a.input.shape.size(),
                                               std::vector<double>(dlogits, dlogits + a.classes()));
            for (std::size_t l = 0; l < naive.size(); ++l) {
                CHECK_NEAR_ALL(gradients[l].data() + i * static_cast<int64_t>(naive[l].size()), naive[l], 1e-5, 1e-3);
            }
            CHECK_NEAR_ALL(image.data() + i * static_cast<int64_t>(naive[0].size()), naive[0], 1e-5, 1e-3);
        }
    }
}

TEST(ablations_match_the_naive_network) {
    uint64_t seed = 321;
    for (const Architecture& a : architectures()) {
        Case c(a, seed += 2, kernels);
        const std::vector<float> logits = c.ablated(c.ablations, 2);
        for (std::size_t l = 0; l < c.ablations.size(); ++l) {
            for (int64_t i = 0; i < count; ++i) {
                const auto naive = outputs(a, c.weights, c.bytes.data() + i * a.input.shape.size(), c.ablations[l]);
                CHECK_NEAR_ALL(logits.data() + (static_cast<int64_t>(l) * count + i) * a.classes(), naive.back(), 1e-5,
                               1e-3);
            }
        }
    }
}

TEST(an_ablation_has_the_same_bits_alone_or_among_others_on_any_threads) {
    uint64_t seed = 341;
    for (const Architecture& a : architectures()) {
        Case c(a, seed += 2, kernels);
        const std::vector<float> together = c.ablated(c.ablations, 1);
        CHECK(c.ablated(c.ablations, 3) == together);
        const auto size = static_cast<std::ptrdiff_t>(count * a.classes());
        for (std::size_t l = 0; l < c.ablations.size(); ++l) {
            const std::vector<float> alone = c.ablated({c.ablations[l]}, 1);
            CHECK(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(l) * size));
        }
        CHECK(c.ablated({{}}, 1) == c.engine.logits(c.bytes, count, 1));
    }
}

TEST(outputs_with_an_ablation_match_the_naive_network) {
    uint64_t seed = 351;
    for (const Architecture& a : architectures()) {
        Case c(a, seed += 2, kernels);
        PlannedPredictor planned(c.engine.network(), Purpose::outputs, Kept::maps);
        for (const Ablation& ablation : c.ablations) {
            std::vector<std::vector<float>> values;
            std::vector<float*> pointers;
            for (const Layer& layer : a.layers) {
                values.emplace_back(static_cast<std::size_t>(count * layer.output.size()));
            }
            for (std::vector<float>& buffer : values) pointers.push_back(buffer.data());
            CHECK(ablated_outputs(c.engine.network(), planned, 2, c.images, count, ablation, pointers, c.watcher));
            for (int64_t i = 0; i < count; ++i) {
                const auto naive = outputs(a, c.weights, c.bytes.data() + i * a.input.shape.size(), ablation);
                for (std::size_t l = 0; l < values.size(); ++l) {
                    const int64_t size = a.layers[l].output.size();
                    CHECK_NEAR_ALL(values[l].data() + i * size, naive[l], 1e-5, 1e-2);
                }
            }
            if (!ablation.empty()) continue;
            for (std::size_t l = 0; l < values.size(); ++l) {
                CHECK(values[l] == c.engine.activations(l, c.bytes, count, 1));
            }
        }
    }
}

// The engine computes an ablation by subtracting what a channel adds to the sums. If that overflows, it must compute
// the layer again.
TEST(an_ablation_of_a_channel_whose_part_of_the_sum_overflows_is_finite) {
    const Architecture a = Architecture(1, 2, 1).convolution(2, 1, 1, false).convolution(1, 1, 2, false).flatten();
    // All outputs of the first layer are its bias, 2. The weights of the second, (column, channel), are
    //     1e38  -1e38  |  1e38  -0.5e38
    // Channel 0 adds 2 (1e38 + 1e38) = 4e38 to the logit, more than a float holds, and channel 1 adds
    // 2 (-1e38 - 0.5e38) = -3e38, which is the logit without channel 0.
    const std::vector<Weights> weights = {{{0, 0}, {2, 2}}, {{1e38, -1e38, 1e38, -0.5e38}, {0}}, {}};
    Engine engine(a, weights, kernels);
    const std::vector<uint8_t> bytes = {1, 2};
    Images images;
    images.bytes = bytes.data();
    float logit = 0;
    NeverStop watcher;
    const Ablation ablation = {{0, 0, 0.0f}};
    CHECK(ablation_logits(engine.network(), 1, images, 1, {ablation}, &logit, watcher));
    CHECK_NEAR_ALL(&logit, outputs(a, weights, bytes.data(), ablation).back(), 1e-5, 1e-3);
}

TEST(a_watcher_stops_ablations_and_gradients) {
    const Architecture a = architectures().front();
    Case c(a, 361, kernels);
    StopAtOnce stop;
    std::vector<float> logits(c.ablations.size() * static_cast<std::size_t>(count * a.classes()));
    CHECK(!ablation_logits(c.engine.network(), 2, c.images, count, c.ablations, logits.data(), stop));
    std::vector<float> gradients(static_cast<std::size_t>(count * a.input.shape.size()));
    CHECK(!LayerGradients(c.engine.network())
               .compute(2, c.images, count, c.dlogits.data(), {{-1, gradients.data()}}, stop));
}

}  // namespace convscope::test
