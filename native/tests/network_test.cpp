// Whole networks, forward and back, against the naive one, over shapes that fill neither a register nor a tile; and the
// naive one against finite differences.
#include <cmath>

#include "check.hpp"
#include "engine.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

std::vector<Architecture> architectures() {
    using A = Architecture;
    return {
        A(7, 9, 1).flatten().dense(3),
        A(6, 5, 3).flatten().dense(33, true).dense(17, true).dense(2),
        A(1, 1, 1).flatten().dense(2),
        // The notebook's network, smaller.
        A(14, 14, 1)
            .convolution(16, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(32, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(10),
        // Fused with a pooling: kernels for which the way back has its own kernel, and others.
        A(11, 13, 3)
            .convolution(5, 3, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(19, 5, 5, true, same)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(4),
        A(9, 12, 2)
            .convolution(7, 2, 4)
            .max_pooling(2, 2, {2, 2})
            .convolution(6, 1, 3)
            .max_pooling(4, 1, {1, 1})
            .flatten()
            .dense(3),
        A(12, 9, 1)
            .convolution(33, 3, 3, false)
            .max_pooling(1, 4, {2, 3})
            .convolution(18, 3, 3, false, same)
            .max_pooling(2, 2, {1, 1})
            .flatten()
            .dense(5),
        A(10, 10, 1).convolution(4, 3, 3).convolution(8, 3, 3, true, same).max_pooling(2, 2, {2, 2}).flatten().dense(3),
        // Strides, paddings, and poolings that stand by themselves.
        A(13, 11, 1).convolution(6, 3, 3, true, {2, 2, true}).convolution(17, 3, 2, true, {1, 2}).flatten().dense(3),
        A(12, 12, 3)
            .max_pooling(2, 2, {2, 2})
            .convolution(9, 3, 3)
            .max_pooling(3, 3, {1, 1})
            .max_pooling(2, 2, {1, 1})
            .flatten()
            .dense(3),
        A(9, 9, 1)
            .convolution(3, 5, 5, true, {3, 1, true})
            .max_pooling(3, 2, {1, 2})
            .convolution(2, 1, 1, false)
            .flatten()
            .dense(2),
        A(8, 8, 1).max_pooling(2, 2, {2, 2}).flatten().dense(4, true).dense(2),
        // By Winograd's way: each algorithm, maps of whole tiles and others, with and without padding, channels that fill
        // no register, and before every kind of layer.
        A(9, 11, 1)
            .convolution(17, 1, 1)
            .convolution(16, 3, 3, true, same)
            .convolution(35, 3, 3, false)
            .max_pooling(3, 3, {2, 2})
            .convolution(19, 3, 3)
            .flatten()
            .dense(3),
        A(13, 10, 3)
            .convolution(33, 1, 1)
            .convolution(16, 5, 5, true, same)
            .convolution(18, 5, 5)
            .convolution(16, 5, 5, false, same)
            .activated(Activation::tanh)
            .convolution(17, 3, 3)
            .convolution(16, 5, 4, false)
            .flatten(),
        A(9, 7, 3)
            .max_pooling(3, 3, {2, 2, true})
            .convolution(5, 3, 3)
            .max_pooling(2, 2, {1, 1, true})
            .flatten()
            .dense(3),
        // Averages, of windows, of what padding leaves of them, and of the whole map.
        A(11, 12, 1)
            .convolution(17, 3, 3)
            .average_pooling(2, 2, {2, 2})
            .convolution(6, 2, 2, true, same)
            .average_pooling(3, 3, {2, 2, true})
            .convolution(35, 1, 1)
            .average_pooling(2, 3, {1, 1})
            .flatten()
            .dense(3),
        // Depthwise convolutions: first, between others, strided, with several outputs a channel.
        A(10, 11, 3)
            .depthwise(6, 3, 3, true, same)
            .convolution(34, 1, 1)
            .depthwise(1, 3, 3, true, {2, 2, true})
            .depthwise(2, 2, 3, false)
            .max_pooling(2, 2, {2, 2})
            .flatten()
            .dense(3),
        // Activations: of maps and vectors, before a pooling of either kind, and of the layer before the logits.
        A(12, 12, 1)
            .convolution(9, 3, 3, false)
            .activated(Activation::gelu)
            .max_pooling(2, 2, {2, 2})
            .convolution(18, 3, 3, false, same)
            .activated(Activation::leaky_relu)
            .max_pooling(2, 2, {2, 2})
            .depthwise(1, 2, 2, false)
            .activated(Activation::tanh)
            .flatten()
            .dense(19)
            .activated(Activation::sigmoid)
            .dense(17)
            .activated(Activation::gelu)
            .dense(4),
        A(9, 10, 2)
            .convolution(5, 2, 2, false)
            .activated(Activation::sigmoid)
            .average_pooling(2, 2, {2, 2})
            .convolution(7, 3, 3, false, {2, 1, true})
            .activated(Activation::tanh)
            .flatten()
            .dense(3),
        // Dropout, which is nothing but in training.
        A(8, 9, 2)
            .dropout(0.1)
            .convolution(6, 3, 3)
            .dropout(0.5)
            .max_pooling(2, 2, {2, 2})
            .dropout(0.25)
            .flatten()
            .dense(18, true)
            .dropout(0.5)
            .dense(3),
        // No dense layer: the last map holds the logits.
        A(6, 6, 2).convolution(8, 3, 3).convolution(5, 4, 4, false).flatten(),
    };
}

struct Data {
    Data(const Architecture& architecture, int64_t count, uint64_t seed) {
        Random random(seed);
        images = random.bytes(count * architecture.input.shape.size());
        for (int64_t i = 0; i < count; ++i) labels.push_back(random.below(architecture.classes()));
    }
    const uint8_t* image(const Architecture& architecture, int64_t i) const {
        return images.data() + i * architecture.input.shape.size();
    }
    std::vector<uint8_t> images;
    std::vector<int64_t> labels;
};

// The mean loss of the naive network, and its gradients.
double naive(const Architecture& a, const std::vector<Weights>& weights, const Data& data,
             std::vector<Weights>& gradients) {
    gradients = zeros_like(weights);
    double loss = 0;
    const auto count = static_cast<double>(data.labels.size());
    for (std::size_t i = 0; i < data.labels.size(); ++i) {
        loss += add_gradients(a, weights, data.image(a, static_cast<int64_t>(i)), data.labels[i], 1 / count, gradients);
    }
    return loss / count;
}

// Within `tolerance` of the largest, or of `least` where all are smaller: what summing larger numbers leaves behind.
void check_near_all(const std::vector<double>& got, const std::vector<double>& want, double tolerance, double least) {
    CHECK(got.size() == want.size());
    if (got.size() != want.size()) return;
    double largest = least;
    for (double value : want) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < want.size(); ++i) CHECK_NEAR(got[i], want[i], tolerance * largest);
}

}  // namespace

TEST(the_naive_gradients_are_finite_differences_of_the_naive_loss) {
    uint64_t seed = 41;
    for (const Architecture& a : architectures()) {
        std::vector<Weights> weights = random_weights(a, ++seed), gradients, unused;
        const Data data(a, 1, seed);
        naive(a, weights, data, gradients);
        Random random(seed);
        for (std::size_t l = 0; l < weights.size(); ++l) {
            if (weights[l].kernel.empty()) continue;
            // A step small enough to pass no kink of relu or pooling by these weights.
            auto slope = [&](double& weight) {
                constexpr double step = 1e-6;
                const double there = weight;
                weight = there + step;
                const double above = naive(a, weights, data, unused);
                weight = there - step;
                const double below = naive(a, weights, data, unused);
                weight = there;
                return (above - below) / (2 * step);
            };
            for (int k = 0; k < 3; ++k) {
                const auto i = static_cast<std::size_t>(random.below(static_cast<int64_t>(weights[l].kernel.size())));
                CHECK_NEAR(slope(weights[l].kernel[i]), gradients[l].kernel[i], 1e-6);
            }
            const auto i = static_cast<std::size_t>(random.below(static_cast<int64_t>(weights[l].bias.size())));
            CHECK_NEAR(slope(weights[l].bias[i]), gradients[l].bias[i], 1e-6);
        }
    }
}

TEST(a_network_gives_the_outputs_of_the_naive_one) {
    uint64_t seed = 61;
    for (const Architecture& a : architectures()) {
        const std::vector<Weights> weights = random_weights(a, ++seed);
        const int64_t count = 11;  // not a whole number of slices
        const Data data(a, count, seed);
        Engine engine(a, weights, kernels);
        std::vector<std::vector<float>> layers;
        for (std::size_t l = 0; l < a.layers.size(); ++l)
            layers.push_back(engine.activations(l, data.images, count, 2));
        const std::vector<float> logits = engine.logits(data.images, count, 2);
        for (int64_t i = 0; i < count; ++i) {
            const std::vector<std::vector<double>> wanted = outputs(a, weights, data.image(a, i));
            for (std::size_t l = 0; l < a.layers.size(); ++l) {
                const float* got = layers[l].data() + i * a.layers[l].output.size();
                check_near_all(std::vector<double>(got, got + a.layers[l].output.size()), wanted[l], 5e-6, 1);
            }
            const float* got = logits.data() + i * a.classes();
            check_near_all(std::vector<double>(got, got + a.classes()), wanted.back(), 5e-6, 1);
        }
    }
}

TEST(a_network_gives_the_gradients_of_the_naive_one) {
    uint64_t seed = 81;
    for (const Architecture& a : architectures()) {
        const std::vector<Weights> weights = random_weights(a, ++seed);
        const Data data(a, 21, seed);
        std::vector<Weights> wanted, got;
        const double wanted_loss = naive(a, weights, data, wanted);
        Engine engine(a, weights, kernels);
        for (int64_t batch_size : {21, 8}) {  // one batch, and three of which the last is short
            CHECK_NEAR(engine.gradients(data.images, data.labels, batch_size, 2, got), wanted_loss, 1e-5);
            for (std::size_t l = 0; l < wanted.size(); ++l) {
                check_near_all(got[l].kernel, wanted[l].kernel, 1e-5, 1e-3);
                check_near_all(got[l].bias, wanted[l].bias, 1e-5, 1e-3);
            }
        }
    }
}

TEST(predictions_do_not_depend_on_threads_or_on_neighbours) {
    uint64_t seed = 101;
    for (const Architecture& a : architectures()) {
        Engine engine(a, random_weights(a, ++seed), kernels);
        const Data data(a, 19, seed);
        const std::vector<float> together = engine.logits(data.images, 19, 1);
        CHECK(engine.logits(data.images, 19, 3) == together);
        CHECK(engine.logits(data.images, 0, 2).empty());
        for (int64_t i : {0, 7, 18}) {
            const std::vector<uint8_t> image(data.image(a, i), data.image(a, i) + a.input.shape.size());
            const std::vector<float> alone = engine.logits(image, 1, 2);
            CHECK(std::equal(alone.begin(), alone.end(), together.data() + i * a.classes()));
        }
    }
}

}  // namespace convscope::test
