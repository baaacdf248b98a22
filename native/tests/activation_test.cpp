// Activations and their derivatives against their formulas in double, from the smallest float to the largest.
#include <algorithm>
#include <limits>

#include "check.hpp"
#include "naive_activation.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr double epsilon = 1.2e-7;  // the distance from 1 to the next float

// The allowed errors: of a value y, relative |y| + absolute; of the derivative, whose largest value is about 1,
// of_derivative. All are about twice the measured errors.
struct Case {
    Activation activation;
    float slope;
    double relative, absolute, of_derivative;
};

constexpr double least = 1e-38;  // below 1.2e-38 floats are subnormal and lose digits

const Case cases[] = {
    {Activation::none, 0.2f, 0, 0, 0},
    {Activation::leaky_relu, 0.2f, epsilon, least, epsilon},
    {Activation::leaky_relu, 0, epsilon, least, epsilon},
    {Activation::leaky_relu, 0.97f, epsilon, least, epsilon},
    // The test of the tail has a closer bound for small numbers.
    {Activation::gelu, 0.2f, 8 * epsilon, epsilon, 3 * epsilon},
    {Activation::tanh, 0.2f, 2 * epsilon, least, 2 * epsilon},
    {Activation::sigmoid, 0.2f, 2 * epsilon, least, epsilon},
    {Activation::relu, 0.2f, epsilon, least, epsilon},
    {Activation::relu6, 0.2f, epsilon, least, epsilon},
    {Activation::elu, 0.2f, 2 * epsilon, least, 2 * epsilon},
    {Activation::selu, 0.2f, 3 * epsilon, least, 4 * epsilon},
    // Absolute: for x < -87, where the exponential is clamped.
    {Activation::silu, 0.2f, 3 * epsilon, 1e-36, 3 * epsilon},
    {Activation::hard_silu, 0.2f, 2 * epsilon, least, 2 * epsilon},
    {Activation::hard_sigmoid, 0.2f, 2 * epsilon, 2 * epsilon, epsilon},
};

// Returns 0, numbers of all magnitudes, and many where the functions bend, each with either sign. The kernel computes
// tanh in another way from 0.625 on, and clamps exponents to [-87, 88].
std::vector<float> grid() {
    using Limits = std::numeric_limits<float>;
    std::vector<float> grid;
    const auto add = [&grid](double x) {
        grid.push_back(static_cast<float>(x));
        grid.push_back(-static_cast<float>(x));
    };
    for (float x : {0.0f, Limits::denorm_min(), Limits::min(), 0.625f, 87.0f, 88.0f, 1e38f, 3e38f}) {
        add(static_cast<double>(x));
    }
    for (int power = -40; power <= 37; ++power) add(std::pow(10.0, power));
    for (int i = 1; i <= 10000; ++i) add(i * 0.002);
    for (int i = 20; i <= 200; ++i) add(i * 0.75);
    return grid;
}

Buffer<float> buffer_of(const std::vector<float>& numbers) {
    Buffer<float> buffer = plain_buffer<float>(static_cast<int64_t>(numbers.size()));
    std::copy(numbers.begin(), numbers.end(), buffer.begin());
    return buffer;
}

}  // namespace

TEST(activations_match_their_formulas_for_all_numbers) {
    const std::vector<float> numbers = grid();
    const auto count = static_cast<int64_t>(numbers.size());
    const Buffer<float> x = buffer_of(numbers);
    for (const Case& c : cases) {
        Buffer<float> y = plain_buffer<float>(count);
        kernels.activate(c.activation, c.slope, x.data(), count, y.data());
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double wanted = activated(c.activation, c.slope, static_cast<double>(x[i]));
            CHECK_NEAR(static_cast<double>(y[i]), wanted, c.relative * std::fabs(wanted) + c.absolute);
        }
    }
}

TEST(derivatives_of_activations_match_their_formulas_for_all_numbers) {
    const std::vector<float> numbers = grid();
    const auto count = static_cast<int64_t>(numbers.size());
    const Buffer<float> x = buffer_of(numbers);
    Buffer<float> dy = plain_buffer<float>(count);
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = i / 2 % 2 == 0 ? -3.0f : 0.5f;
    for (const Case& c : cases) {
        Buffer<float> dx = plain_buffer<float>(count);
        kernels.activate_backward(c.activation, c.slope, x.data(), dy.data(), count, dx.data());
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double factor = static_cast<double>(dy[i]);
            CHECK_NEAR(static_cast<double>(dx[i]),
                       derivative(c.activation, c.slope, static_cast<double>(x[i])) * factor,
                       c.of_derivative * std::fabs(factor));
        }
    }
}

TEST(the_tail_of_gelu_is_exact_to_its_exponent) {
    // The relative error of e^(-t) is the rounding error of t = x^2 / 2, which is proportional to t. Below -13 the
    // kernel returns 0.
    for (float x = -12.9f; x < 0; x += 0.01f) {
        const Buffer<float> tail = buffer_of({x});
        float y = untouched;
        kernels.activate(Activation::gelu, 0, tail.data(), 1, &y);
        const double wanted = activated(Activation::gelu, 0, static_cast<double>(x));
        const double exponent = 0.5 * static_cast<double>(x) * static_cast<double>(x);
        CHECK_NEAR(static_cast<double>(y), wanted, 5 * epsilon * (1 + exponent) * std::fabs(wanted));
    }
}

TEST(the_formulas_of_derivatives_match_finite_differences) {
    for (const Case& c : cases) {
        for (double x = -6.01; x < 6; x += 0.25) {  // no x is at a jump of a derivative, at -3, 0, 3 or 6
            constexpr double step = 1e-5;
            const double rise = activated(c.activation, c.slope, x + step) - activated(c.activation, c.slope, x - step);
            // The difference has an error of about step^2, and one of rounding of about 1e-16 / step.
            CHECK_NEAR(rise / (2 * step), derivative(c.activation, c.slope, x), 1e-8);
        }
    }
}

TEST(activations_keep_nan) {
    const Buffer<float> x = buffer_of({1, std::numeric_limits<float>::quiet_NaN(), 2});
    for (const Case& c : cases) {
        float y[3];
        kernels.activate(c.activation, c.slope, x.data(), 3, y);
        CHECK(!std::isnan(y[0]) && std::isnan(y[1]) && !std::isnan(y[2]));
    }
}

TEST(activations_stay_within_their_count_and_do_not_depend_on_the_index) {
    for (const Case& c : cases) {
        for (int64_t count = 1; count <= 2 * kernels.vector_width + 1; ++count) {
            const Buffer<float> x = buffer_of(std::vector<float>(static_cast<std::size_t>(count), -0.7f));
            Buffer<float> y = plain_buffer<float>(count), dx = y;
            std::fill(y.begin(), y.end(), untouched);
            std::fill(dx.begin(), dx.end(), untouched);
            kernels.activate(c.activation, c.slope, x.data(), count, y.data());
            kernels.activate_backward(c.activation, c.slope, x.data(), x.data(), count, dx.data());
            for (std::size_t i = 0; i < y.size(); ++i) {
                const bool inside = i < static_cast<std::size_t>(count);
                CHECK(y[i] == (inside ? y[0] : untouched));
                CHECK(dx[i] == (inside ? dx[0] : untouched));
            }
            CHECK(y[0] != untouched && dx[0] != untouched);
        }
    }
}

TEST(learned_slopes_match_their_formulas_and_stay_within_their_count) {
    for (int64_t count = 1; count <= 2 * kernels.vector_width + 1; ++count) {
        const auto size = static_cast<std::size_t>(count);
        std::vector<float> numbers, slopes, gradients;
        for (std::size_t i = 0; i < size; ++i) {
            numbers.push_back(i % 3 == 0 ? 0.5f * static_cast<float>(i + 1) : -0.25f * static_cast<float>(i));
            slopes.push_back(static_cast<float>(i) - 3);
            gradients.push_back(2 - 0.5f * static_cast<float>(i));
        }
        const Buffer<float> x = buffer_of(numbers), alpha = buffer_of(slopes), dy = buffer_of(gradients);
        Buffer<float> y = plain_buffer<float>(count), dx = y, sums = y;
        std::fill(y.begin(), y.end(), untouched);
        std::fill(dx.begin(), dx.end(), untouched);
        std::fill(sums.begin(), sums.end(), untouched);
        std::fill_n(sums.begin(), count, 1.0f);
        kernels.prelu(x.data(), alpha.data(), count, y.data());
        kernels.prelu_backward(x.data(), dy.data(), alpha.data(), count, dx.data(), sums.data());
        for (std::size_t i = 0; i < y.size(); ++i) {
            if (i >= size) {
                CHECK(y[i] == untouched && dx[i] == untouched && sums[i] == untouched);
                continue;
            }
            const float slope = numbers[i] > 0 ? 1 : slopes[i];
            CHECK(y[i] == slope * numbers[i]);
            CHECK(dx[i] == slope * gradients[i]);
            CHECK(sums[i] == 1 + gradients[i] * std::min(numbers[i], 0.0f));  // 1 from before
        }
    }
}

}  // namespace convscope::test
