// The steps of the optimizers and of the averaged weights, against their formulas in double.
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {

TEST(adam_takes_the_step_of_its_formula) {
    Random random(32);
    for (int64_t count : {1, 7, 16, 33, 100}) {
        for (double kept : {1.0, 0.75}) {  // the share of a weight that weight decay leaves
            const Buffer<float> w = random.numbers(count), m = random.numbers(count), g = random.numbers(count);
            Buffer<float> v = random.numbers(count);
            for (float& value : v) value = std::fabs(value);
            Buffer<float> new_w = w, new_m = m, new_v = v;
            const OptimizerStep adam = {.kind = OptimizerKind::adam,
                                        .rate = 0.01f,
                                        .kept = static_cast<float>(kept),
                                        .one_minus_beta_1 = 0.1f,
                                        .one_minus_beta_2 = 0.001f,
                                        .epsilon = 1e-7f};
            kernels.take_step(new_w.data(), new_m.data(), new_v.data(), g.data(), count, adam);
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                const double gradient = static_cast<double>(g[i]);
                const double wanted_m = 0.9 * static_cast<double>(m[i]) + 0.1 * gradient;
                const double wanted_v = 0.999 * static_cast<double>(v[i]) + 0.001 * gradient * gradient;
                CHECK_NEAR(static_cast<double>(new_m[i]), wanted_m, 1e-6);
                CHECK_NEAR(static_cast<double>(new_v[i]), wanted_v, 1e-6);
                const double change = 0.01 * wanted_m / (std::sqrt(wanted_v) + 1e-7);
                CHECK_NEAR(static_cast<double>(new_w[i]), kept * static_cast<double>(w[i]) - change,
                           1e-6 + 1e-4 * std::fabs(change));
            }
            for (auto i = static_cast<std::size_t>(count); i < new_w.size(); ++i) {
                CHECK(new_w[i] == w[i] && new_m[i] == m[i] && new_v[i] == v[i]);
            }
        }
    }
}

TEST(sgd_takes_the_steps_of_its_formula) {
    Random random(36);
    constexpr double rate = 0.25, momentum = 0.875, kept = 0.9375;  // floats hold them exactly; kept by weight decay
    for (bool nesterov : {false, true}) {
        for (int64_t count : {1, 7, 16, 33, 100}) {
            const Buffer<float> w = random.numbers(count), velocity = random.numbers(count);
            Buffer<float> new_w = w, new_velocity = velocity;
            std::vector<double> wanted_w(w.begin(), w.end()), wanted_velocity(velocity.begin(), velocity.end());
            for (int step = 0; step < 3; ++step) {
                const Buffer<float> g = random.numbers(count);
                const OptimizerStep sgd = {
                    .kind = OptimizerKind::sgd, .rate = rate, .kept = kept, .momentum = momentum, .nesterov = nesterov};
                kernels.take_step(new_w.data(), new_velocity.data(), nullptr, g.data(), count, sgd);
                for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                    const double pull = rate * static_cast<double>(g[i]);
                    wanted_velocity[i] = momentum * wanted_velocity[i] - pull;
                    wanted_w[i] =
                        kept * wanted_w[i] + (nesterov ? momentum * wanted_velocity[i] - pull : wanted_velocity[i]);
                }
            }
            for (std::size_t i = 0; i < w.size(); ++i) {  // numbers after the count are unchanged
                CHECK_NEAR(static_cast<double>(new_w[i]), wanted_w[i], 1e-6);
                CHECK_NEAR(static_cast<double>(new_velocity[i]), wanted_velocity[i], 1e-6);
            }
        }
    }
}

TEST(an_average_moves_towards_new_values_by_its_rate) {
    Random random(37);
    for (float rate : {0.0f, 0.01f, 0.5f, 1.0f}) {
        for (int64_t count : {1, 7, 16, 33, 100}) {
            const Buffer<float> average = random.numbers(count), values = random.numbers(count);
            Buffer<float> moved = average;
            kernels.approach(moved.data(), values.data(), count, rate);
            for (std::size_t i = 0; i < moved.size(); ++i) {
                const double start = static_cast<double>(average[i]), way = static_cast<double>(values[i]) - start;
                const double share = i < static_cast<std::size_t>(count) ? static_cast<double>(rate) : 0;
                CHECK_NEAR(static_cast<double>(moved[i]), start + share * way, 3e-7);
            }
        }
    }
}

}  // namespace convscope::test
