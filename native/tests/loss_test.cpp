// Softmax and cross-entropy, against their formulas in double. With label smoothing, the target probability of class k
// is smoothing / classes, and of the label 1 - smoothing more.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

// Returns the logarithms of softmax(logits). The largest logit is subtracted first, so that no exponential overflows.
std::vector<double> log_probabilities(const float* logits, int64_t classes) {
    std::vector<double> logarithms(logits, logits + classes);
    const double largest = *std::max_element(logarithms.begin(), logarithms.end());
    double sum = 0;
    for (double logit : logarithms) sum += std::exp(logit - largest);
    for (double& logit : logarithms) logit -= largest + std::log(sum);
    return logarithms;
}

void check_cross_entropy(const Kernels& kernels, const Buffer<float>& logits, int64_t classes, int64_t label,
                         float smoothing, float scale) {
    const std::vector<double> logarithms = log_probabilities(logits.data(), classes);
    Buffer<float> gradient = plain_buffer<float>(classes);
    std::fill(gradient.begin(), gradient.end(), untouched);
    bool correct = false;
    const double loss =
        kernels.cross_entropy(logits.data(), classes, label, smoothing, scale, gradient.data(), &correct);
    CHECK(correct == (std::max_element(logits.data(), logits.data() + classes) - logits.data() == label));
    double wanted = 0;
    for (int64_t k = 0; k < classes; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double smoothed = static_cast<double>(smoothing) / static_cast<double>(classes);
        const double target = smoothed + (k == label ? 1 - static_cast<double>(smoothing) : 0);
        wanted -= target * logarithms[at];
        CHECK_NEAR(static_cast<double>(gradient[at]), (std::exp(logarithms[at]) - target) * static_cast<double>(scale),
                   5e-7 * static_cast<double>(scale));
    }
    CHECK_NEAR(loss, wanted, 2e-7 + 1e-6 * std::fabs(wanted));
    for (auto k = static_cast<std::size_t>(classes); k < gradient.size(); ++k) CHECK(gradient[k] == untouched);

    Buffer<float> in_place = logits;  // the gradient may overwrite the logits
    CHECK(kernels.cross_entropy(in_place.data(), classes, label, smoothing, scale, in_place.data(), &correct) == loss);
    CHECK(std::equal(gradient.data(), gradient.data() + classes, in_place.data()));
}

}  // namespace

TEST(cross_entropy_matches_its_formula) {
    Random random(33);
    for (int64_t classes : {1, 2, 3, 10, 17, 100}) {
        for (float smoothing : {0.0f, 0.1f, 0.75f}) {
            for (float scale : {1.0f, 0.01f, 12.5f}) {  // it includes the weight of the label's class
                Buffer<float> logits = random.numbers(classes);
                for (float& value : logits) value *= 5;
                check_cross_entropy(kernels, logits, classes, random.below(classes), smoothing, scale);
            }
        }
    }
}

TEST(cross_entropy_is_finite_for_logits_of_any_size) {
    Random random(39);
    constexpr int64_t classes = 7;
    for (float size : {1e-30f, 80.0f, 1000.0f, 1e30f, 3e38f}) {
        for (float smoothing : {0.0f, 0.1f}) {
            for (int64_t label = 0; label < classes; ++label) {
                Buffer<float> logits = random.numbers(classes);
                for (float& value : logits) value *= size;
                logits[2] = size;
                logits[5] = -size;
                check_cross_entropy(kernels, logits, classes, label, smoothing, 1);
            }
        }
    }
}

TEST(the_first_of_equal_logits_is_the_prediction) {
    const float logits[] = {-1, 2, 0, 2};
    float gradient[4];
    for (int64_t label = 0; label < 4; ++label) {
        bool correct = false;
        kernels.cross_entropy(logits, 4, label, 0, 1, gradient, &correct);
        CHECK(correct == (label == 1));
    }
}

TEST(softmax_matches_its_formula_for_logits_of_any_size) {
    Random random(34);
    for (int64_t classes : {1, 2, 10, 101}) {
        for (float size : {0.0f, 1.0f, 100.0f, 1000.0f, 3e38f}) {
            Buffer<float> logits = random.numbers(classes), probabilities = plain_buffer<float>(classes);
            for (float& value : logits) value *= size;
            std::fill(probabilities.begin(), probabilities.end(), untouched);
            kernels.softmax(logits.data(), classes, probabilities.data());
            const std::vector<double> logarithms = log_probabilities(logits.data(), classes);
            double sum = 0;
            for (std::size_t k = 0; k < logarithms.size(); ++k) {
                CHECK_NEAR(static_cast<double>(probabilities[k]), std::exp(logarithms[k]), 3e-7);
                sum += static_cast<double>(probabilities[k]);
            }
            CHECK_NEAR(sum, 1, 1e-6);
            CHECK(probabilities[static_cast<std::size_t>(classes)] == untouched);
        }
    }
}

}  // namespace convscope::test
