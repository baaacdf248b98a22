// The passes that touch every number once, against their formulas in double.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr float untouched = 12345;

}  // namespace

TEST(bytes_are_scaled_and_shifted_row_by_row) {
    Random random(31);
    for (int64_t length : {1, 3, 28, 84, 100}) {
        for (int64_t frame : {0, 5}) {
            const std::vector<uint8_t> bytes = random.bytes(4 * length);
            Buffer<float> out = make_buffer<float>(4 * (length + frame));
            std::fill(out.begin(), out.end(), untouched);
            kernels.normalise(bytes.data(), 4, length, 1.0f / 255, -0.5f, out.data(), length + frame);
            for (int64_t i = 0; i < 4 * (length + frame); ++i) {
                const int64_t row = i / (length + frame), column = i % (length + frame);
                const double got = static_cast<double>(out[static_cast<std::size_t>(i)]);
                if (column < length) {
                    CHECK_NEAR(got, bytes[static_cast<std::size_t>(row * length + column)] / 255.0 - 0.5, 1e-6);
                } else {
                    CHECK(out[static_cast<std::size_t>(i)] == untouched);
                }
            }
        }
    }
}

TEST(adam_takes_the_step_of_its_formula) {
    Random random(32);
    for (int64_t count : {1, 7, 16, 33, 100}) {
        const Buffer<float> w = random.numbers(count), m = random.numbers(count), g = random.numbers(count);
        Buffer<float> v = random.numbers(count);
        for (float& value : v) value = std::fabs(value);
        Buffer<float> new_w = w, new_m = m, new_v = v;
        kernels.adam(new_w.data(), new_m.data(), new_v.data(), g.data(), count, {0.01f, 0.1f, 0.001f, 1e-7f, 1.0f});
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const double gradient = static_cast<double>(g[i]);
            const double wanted_m = 0.9 * static_cast<double>(m[i]) + 0.1 * gradient;
            const double wanted_v = 0.999 * static_cast<double>(v[i]) + 0.001 * gradient * gradient;
            CHECK_NEAR(static_cast<double>(new_m[i]), wanted_m, 1e-6);
            CHECK_NEAR(static_cast<double>(new_v[i]), wanted_v, 1e-6);
            const double change = 0.01 * wanted_m / (std::sqrt(wanted_v) + 1e-7);
            CHECK_NEAR(static_cast<double>(new_w[i]), static_cast<double>(w[i]) - change,
                       1e-6 + 1e-4 * std::fabs(change));
        }
        for (auto i = static_cast<std::size_t>(count); i < new_w.size(); ++i) CHECK(new_w[i] == w[i]);
    }
}

TEST(cross_entropy_is_minus_the_logarithm_of_the_labels_probability) {
    Random random(33);
    for (int64_t classes : {2, 3, 10, 100}) {
        for (float scale : {1.0f, 0.01f}) {
            Buffer<float> logits = random.numbers(classes), gradient = make_buffer<float>(classes);
            for (float& value : logits) value *= 5;
            const int64_t label = random.below(classes);
            double sum = 0;
            for (int64_t k = 0; k < classes; ++k)
                sum += std::exp(static_cast<double>(logits[static_cast<std::size_t>(k)]));
            const int64_t answer = std::max_element(logits.data(), logits.data() + classes) - logits.data();
            bool correct = false;
            const double loss = kernels.cross_entropy(logits.data(), classes, label, 0, scale, gradient.data(), &correct);
            CHECK(correct == (answer == label));
            CHECK_NEAR(loss, std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(label)]), 1e-5);
            for (int64_t k = 0; k < classes; ++k) {
                const double p = std::exp(static_cast<double>(logits[static_cast<std::size_t>(k)])) / sum;
                CHECK_NEAR(static_cast<double>(gradient[static_cast<std::size_t>(k)]),
                           (p - (k == label)) * static_cast<double>(scale), 1e-6);
            }
            Buffer<float> in_place = logits;  // the gradient may take the logits' place
            CHECK(kernels.cross_entropy(in_place.data(), classes, label, 0, scale, in_place.data(), &correct) == loss);
            CHECK(std::equal(gradient.data(), gradient.data() + classes, in_place.data()));
        }
    }
}

TEST(softmax_and_cross_entropy_bear_large_logits) {
    const float logits[] = {1000, -1000, 999};
    float probabilities[3], gradient[3];
    bool correct = true;
    kernels.softmax(logits, 3, probabilities);
    CHECK_NEAR(static_cast<double>(probabilities[0]), 1 / (1 + std::exp(-1.0)), 1e-6);
    CHECK(probabilities[1] == 0);
    CHECK_NEAR(kernels.cross_entropy(logits, 3, 1, 0, 1, gradient, &correct), 2000.3132617, 1e-3);
    CHECK_NEAR(static_cast<double>(gradient[1]), -1, 1e-6);
    CHECK(!correct);
}

TEST(softmax_is_its_formula) {
    Random random(34);
    for (int64_t classes : {1, 2, 10, 101}) {
        const Buffer<float> logits = random.numbers(classes);
        Buffer<float> probabilities = make_buffer<float>(classes);
        kernels.softmax(logits.data(), classes, probabilities.data());
        double sum = 0;
        for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[static_cast<std::size_t>(k)]));
        for (std::size_t k = 0; k < static_cast<std::size_t>(classes); ++k) {
            CHECK_NEAR(static_cast<double>(probabilities[k]), std::exp(static_cast<double>(logits[k])) / sum, 1e-6);
        }
    }
}

TEST(sums_and_masked_copies_stay_within_their_count) {
    Random random(35);
    for (int64_t count : {1, 7, 16, 31, 64, 65}) {
        const Buffer<float> from = random.numbers(count), mask = random.numbers(count);
        Buffer<float> sum = random.numbers(count), copy = make_buffer<float>(count), masked = copy;
        const Buffer<float> old = sum;
        std::fill(copy.data() + count, copy.data() + copy.size(), untouched);
        std::fill(masked.data() + count, masked.data() + masked.size(), untouched);
        kernels.add(sum.data(), from.data(), count);
        kernels.copy_where_positive(copy.data(), from.data(), nullptr, count);
        kernels.copy_where_positive(masked.data(), from.data(), mask.data(), count);
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const bool inside = i < static_cast<std::size_t>(count);
            CHECK(sum[i] == (inside ? old[i] + from[i] : old[i]));
            CHECK(copy[i] == (inside ? from[i] : untouched));
            CHECK(masked[i] == (!inside ? untouched : mask[i] > 0 ? from[i] : 0));
        }
    }
}

}  // namespace convscope::test
