#include "soft_voting.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace convscope {

namespace {

// Returns log Σ exp(number(i)) over i < count. The largest is subtracted first, so that nothing overflows.
template <class Number>
float log_of_sum(int64_t count, Number number) {
    float largest = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, number(i));
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(std::exp(number(i) - largest));
    return largest + static_cast<float>(std::log(sum));
}

}  // namespace

void SoftVoting::write_sums(const float* logits, float* sums) const {
    for (int64_t i = 0; i < members_; ++i) {
        sums[i] = log_of_sum(classes_, [&](int64_t k) { return logits[i * classes_ + k]; });
    }
}

float SoftVoting::class_logarithm(const float* logits, const float* sums, int64_t k) const {
    return log_of_sum(members_, [&](int64_t i) { return logits[i * classes_ + k] - sums[i]; });
}

void SoftVoting::forward_image(Workspace& workspace, int64_t image) const {
    const float* logits = workspace.values[map_].image(image) + input_.value.at(0, 0);
    float* output = workspace.values[map_ + 1].image(image) + output_.value.at(0, 0);
    float* sums = workspace.scratch->floats.data();
    write_sums(logits, sums);
    double mean = 0;
    for (int64_t i = 0; i < members_; ++i) mean += static_cast<double>(sums[i]);
    const auto members = static_cast<double>(members_);
    const auto shift = static_cast<float>(mean / members - std::log(members));
    for (int64_t k = 0; k < classes_; ++k) output[k] = class_logarithm(logits, sums, k) + shift;
}

// With g the gradient with respect to y, p[i, k] the softmax of member i, and w[i, k] = p[i, k] / Σ_i p[i, k]:
//     dx[i, j] = g[j] w[i, j] + p[i, j] (Σ_k g[k] / M - Σ_k g[k] w[i, k])
void SoftVoting::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float* logits = workspace.values[map_].image(image) + input_.value.at(0, 0);
    const float* gradient = workspace.gradients[map_ + 1].image(image) + output_.gradient.at(0, 0);
    float* sums = workspace.scratch->floats.data();
    float *class_logarithms = sums + members_, *row = class_logarithms + classes_;
    write_sums(logits, sums);
    float total = 0;
    for (int64_t k = 0; k < classes_; ++k) {
        class_logarithms[k] = class_logarithm(logits, sums, k);
        total += gradient[k];
    }
    for (int64_t i = 0; i < members_; ++i) {
        const float* member = logits + i * classes_;
        float* to = row + i * classes_;
        float weighted = 0;
        for (int64_t k = 0; k < classes_; ++k) {
            to[k] = gradient[k] * std::exp(member[k] - sums[i] - class_logarithms[k]);
            weighted += to[k];
        }
        const float rest = total / static_cast<float>(members_) - weighted;
        for (int64_t k = 0; k < classes_; ++k) to[k] += std::exp(member[k] - sums[i]) * rest;
    }
    write_input_gradient(workspace, image, row, members_ * classes_);
}

Extents SoftVoting::extents() const {
    return {Cells::vector(members_ * classes_), Cells::vector(classes_), Cells::vector(classes_),
            Cells::in(input_.gradient, input_.value.shape)};
}

}  // namespace convscope
