// The outputs and gradients of whole networks compared with those of the naive network, and the naive gradients
// compared with finite differences.
#include <cmath>

#include "check.hpp"
#include "engine.hpp"
#include "numbers.hpp"
#include "random_data.hpp"

namespace convscope::test {
namespace {

// Returns the mean loss of the naive network, and writes its gradients unless `gradients` is null.
double naive_loss(const Architecture& a, const std::vector<Weights>& weights, const RandomData& data,
                  std::vector<Weights>* gradients, const Training* training = nullptr) {
    if (gradients != nullptr) *gradients = zeros_like(weights);
    const auto count = static_cast<double>(data.count());
    return add_gradients(a, weights, data.images(0, data.count()), data.labels, 1 / count, gradients, training) / count;
}

bool differs_in_training(const Architecture& a) {
    return std::any_of(a.layers.begin(), a.layers.end(), [](const Layer& layer) {
        return layer.kind == Kind::normalization || layer.kind == Kind::dropout;
    });
}

// The derivative of the naive loss with respect to one weight, computed in two ways.
struct Slope {
    double finite_difference, gradient;
};

// Adds the slopes of three random weights of each kernel and one of each bias.
void add_slopes(const Architecture& a, const Training* training, uint64_t seed, std::vector<Slope>& slopes) {
    std::vector<Weights> weights = random_weights(a, seed), gradients;
    const RandomData data(a, training == nullptr ? 1 : 3, seed);
    naive_loss(a, weights, data, &gradients, training);
    Random random(seed);
    const auto add = [&](Numbers& numbers, const Numbers& number_gradients) {
        constexpr double step = 1e-6;  // so small that relu and pooling choose the same values at both ends
        const auto i = static_cast<std::size_t>(random.below(static_cast<int64_t>(numbers.size())));
        const double original = numbers[i];
        numbers[i] = original + step;
        const double above = naive_loss(a, weights, data, nullptr, training);
        numbers[i] = original - step;
        const double below = naive_loss(a, weights, data, nullptr, training);
        numbers[i] = original;
        slopes.push_back({(above - below) / (2 * step), number_gradients[i]});
    };
    for (std::size_t l = 0; l < weights.size(); ++l) {
        if (weights[l].kernel.empty()) continue;
        for (int k = 0; k < 3; ++k) add(weights[l].kernel, gradients[l].kernel);
        add(weights[l].bias, gradients[l].bias);
    }
}

std::vector<Slope> slopes() {
    std::vector<Slope> slopes;
    uint64_t seed = 41;
    const Training training = {7, 3};  // any key and position
    for (const Architecture& a : network_cases()) {
        add_slopes(a, nullptr, ++seed, slopes);
        if (differs_in_training(a)) add_slopes(a, &training, ++seed, slopes);
    }
    return slopes;
}

}  // namespace

TEST(the_naive_gradients_match_finite_differences) {
    static const std::vector<Slope> all = slopes();  // once for all instruction sets, since plain loops take long
    for (const Slope& slope : all) CHECK_NEAR(slope.finite_difference, slope.gradient, 1e-6);
}

TEST(outputs_match_the_naive_network) {
    uint64_t seed = 61;
    for (const Architecture& a : network_cases()) {
        const std::vector<Weights> weights = random_weights(a, ++seed);
        const int64_t count = 11;  // not a whole number of slices
        const RandomData data(a, count, seed);
        Engine engine(a, weights, kernels);
        std::vector<std::vector<float>> layers;
        for (std::size_t l = 0; l < a.layers.size(); ++l) layers.push_back(engine.activations(l, data.bytes, count, 2));
        const std::vector<float> logits = engine.logits(data.bytes, count, 2);
        for (int64_t i = 0; i < count; ++i) {
            const std::vector<std::vector<double>> wanted = outputs(a, weights, data.image(i));
            for (std::size_t l = 0; l < a.layers.size(); ++l) {
                const float* got = layers[l].data() + i * a.layers[l].output.size();
                CHECK_NEAR_ALL(got, wanted[l], 5e-6, 1);
            }
            const float* got = logits.data() + i * a.classes();
            CHECK_NEAR_ALL(got, wanted.back(), 5e-6, 1);
        }
    }
}

TEST(gradients_match_the_naive_network) {
    uint64_t seed = 81;
    for (const Architecture& a : network_cases()) {
        const std::vector<Weights> weights = random_weights(a, ++seed);
        const RandomData data(a, 21, seed);
        std::vector<Weights> wanted, got;
        const double wanted_loss = naive_loss(a, weights, data, &wanted);
        Engine engine(a, weights, kernels);
        for (int64_t batch_size : {21, 8}) {  // one batch, and three of which the last is short
            CHECK_NEAR(engine.gradients(data.bytes, data.labels, batch_size, 2, got), wanted_loss, 1e-5);
            for (std::size_t l = 0; l < wanted.size(); ++l) {
                CHECK_NEAR_ALL(got[l].kernel.data(), wanted[l].kernel, 1e-5, 1e-3);
                CHECK_NEAR_ALL(got[l].bias.data(), wanted[l].bias, 1e-5, 1e-3);
            }
        }
    }
}

TEST(predictions_do_not_depend_on_threads_or_on_neighbours) {
    uint64_t seed = 101;
    for (const Architecture& a : network_cases()) {
        Engine engine(a, random_weights(a, ++seed), kernels);
        const RandomData data(a, 19, seed);
        const std::vector<float> together = engine.logits(data.bytes, 19, 1);
        CHECK(engine.logits(data.bytes, 19, 3) == together);
        CHECK(engine.logits(data.bytes, 0, 2).empty());
        for (int64_t i : {0, 7, 18}) {
            const std::vector<uint8_t> image(data.image(i), data.image(i) + a.input.shape.size());
            const std::vector<float> alone = engine.logits(image, 1, 2);
            CHECK(std::equal(alone.begin(), alone.end(), together.data() + i * a.classes()));
        }
    }
}

}  // namespace convscope::test
