// Weights rounded to few levels: `round_columns` against its definition, and training with rounded kernels.
#include <cmath>

#include "check.hpp"
#include "engine.hpp"
#include "numbers.hpp"
#include "random_data.hpp"

namespace convscope::test {
namespace {

Architecture network() {
    return Architecture(9, 9, 1)
        .convolution(9, 3, 3)
        .max_pooling(2, 2, {2, 2})
        .depthwise(2, 2, 2)
        .convolution(18, 3, 3, true, same)
        .flatten()
        .dense(40, true)
        .dense(4);
}

Settings settings_of(int64_t bits) {
    Settings settings;
    settings.weight_bits = bits;
    settings.averaging = 0.9;
    return settings;
}

// Returns 0, 1, ..., count - 1.
std::vector<int64_t> in_order(int64_t count) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) order.push_back(i);
    return order;
}

}  // namespace

TEST(columns_are_rounded_to_the_nearest_levels_of_their_own_steps) {
    Random random(301);
    const int64_t width = kernels.panel_width;
    for (int64_t rows : {1, 2, 9, 150}) {
        for (int64_t highest : {1, 7, 127}) {  // levels -highest to highest: of 2, 4 and 8 bits
            // Any step per root mean square will do. With these, the levels reach 1.25 or 4 root mean squares.
            const double factor = highest == 1 ? 1.25 : 4.0 / static_cast<double>(highest);
            Buffer<float> from = random.numbers(rows * width), to = plain_buffer<float>(rows * width);
            for (int64_t r = 0; r < rows; ++r) from[static_cast<std::size_t>(r * width)] = 0;  // a column of zeros
            to[static_cast<std::size_t>(rows * width)] = untouched;
            kernels.round_columns(from.data(), rows, highest, factor, to.data());
            CHECK(to[static_cast<std::size_t>(rows * width)] == untouched);
            for (int64_t column = 0; column < width; ++column) {
                double squares = 0;
                for (int64_t r = 0; r < rows; ++r) {
                    squares += std::pow(static_cast<double>(from[static_cast<std::size_t>(r * width + column)]), 2);
                }
                const double step = factor * std::sqrt(squares / static_cast<double>(rows));
                for (int64_t r = 0; r < rows; ++r) {
                    const auto i = static_cast<std::size_t>(r * width + column);
                    const double value = static_cast<double>(from[i]), rounded = static_cast<double>(to[i]);
                    const double level = column == 0 ? 0 : rounded / step, limit = static_cast<double>(highest);
                    CHECK_NEAR(level, std::rint(level), 1e-4);
                    CHECK(std::fabs(level) < limit + 0.5);
                    // To the nearest level, half a step away at most; values beyond the last level get that one.
                    if (std::fabs(value) < (limit + 0.5) * step) CHECK(std::fabs(value - rounded) < 0.501 * step);
                    if (value > limit * step) CHECK_NEAR(rounded, limit * step, 1e-5);
                    if (value < -limit * step) CHECK_NEAR(rounded, -limit * step, 1e-5);
                }
            }
        }
    }
}

TEST(training_with_rounded_kernels_gives_the_same_bits_on_any_number_of_threads) {
    const RandomData data(network(), 90, 302);
    const std::vector<Weights> start = random_weights(network(), 303);
    NeverStop watcher;
    for (int64_t bits : {2, 4, 8}) {
        Engine single(network(), start, kernels);
        single.train(data.bytes, data.labels, in_order(90), 32, 0.01f, 1, watcher, settings_of(bits));
        CHECK(!equal(single.read(Parameters::weights), single.read(Parameters::unrounded)));
        CHECK(!equal(single.read(Parameters::unaveraged), single.read(Parameters::unrounded)));
        for (int threads : {2, 3}) {
            Engine threaded(network(), start, kernels);
            threaded.train(data.bytes, data.labels, in_order(90), 32, 0.01f, threads, watcher, settings_of(bits));
            for (Parameters::Field field : {Parameters::weights, Parameters::unrounded, Parameters::unaveraged}) {
                CHECK(equal(threaded.read(field), single.read(field)));
            }
        }
    }
}

// A pass reads rounded weights everywhere, so its gradients are those of a plain network with the rounded weights.
TEST(the_gradients_are_those_of_the_rounded_network) {
    const RandomData data(network(), 24, 304);
    const std::vector<Weights> start = random_weights(network(), 305);
    NeverStop watcher;
    Settings settings = settings_of(4);
    settings.averaging = 0;
    settings.optimizer.kind = OptimizerKind::sgd;
    Engine rounded(network(), start, kernels);
    rounded.train(data.bytes, data.labels, in_order(24), 24, 0, 2, watcher, settings);  // learning rate 0: only rounds
    const std::vector<Weights> grid = rounded.read(Parameters::weights);
    CHECK(equal(rounded.read(Parameters::unrounded), start));
    Engine plain(network(), grid, kernels);
    std::vector<Weights> gradients, expected;
    const double loss = plain.gradients(data.bytes, data.labels, 24, 1, expected);
    CHECK(rounded.gradients(data.bytes, data.labels, 24, 1, gradients) == loss);
    CHECK(equal(gradients, expected));
    rounded.train(data.bytes, data.labels, in_order(24), 24, 0.5f, 2, watcher, settings);
    const std::vector<Weights> moved = rounded.read(Parameters::unrounded);
    for (std::size_t l = 0; l < start.size(); ++l) {
        for (std::size_t i = 0; i < start[l].kernel.size(); ++i) {
            CHECK_NEAR(moved[l].kernel[i], start[l].kernel[i] - 0.5 * expected[l].kernel[i], 1e-6);
        }
        for (std::size_t i = 0; i < start[l].bias.size(); ++i) {
            CHECK_NEAR(moved[l].bias[i], start[l].bias[i] - 0.5 * expected[l].bias[i], 1e-6);
        }
    }
}

}  // namespace convscope::test
