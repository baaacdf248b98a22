#include "group_normalization.hpp"

#include <cmath>

namespace convscope {

GroupNormalization::GroupNormalization(const StepContext& context, const Parameters& parameters)
    : MapLayer(context), parameters_(parameters), channels_(layer_.input.channels),
      row_(round_up(channels_, kernels_.panel_width)), pixels_(layer_.input.height * layer_.input.width),
      set_pixels_(layer_.kind == Kind::layer_normalization ? 1 : pixels_),
      set_channels_(layer_.kind == Kind::layer_normalization ? channels_ : channels_ / layer_.groups),
      sets_(pixels_ * channels_ / (set_pixels_ * set_channels_)) {}

// Set s begins at number s set_channels_: with 2 groups of 3 channels at 0 and 3, with pixels of 6 channels at 0, 6, ...
// A further pixel of the same set is channels_ numbers away.
template <class Visit>
void GroupNormalization::for_set(int64_t set, Visit visit) const {
    const int64_t first = set * set_channels_, first_channel = first % channels_;
    for (int64_t pixel = 0; pixel < set_pixels_; ++pixel) {
        for (int64_t k = 0; k < set_channels_; ++k) visit(first + pixel * channels_ + k, first_channel + k);
    }
}

GroupNormalization::Moments GroupNormalization::measure(const float* x, int64_t set) const {
    const auto count = static_cast<double>(set_pixels_ * set_channels_);
    double mean = 0, squares = 0;
    for_set(set, [&](int64_t i, int64_t) { mean += static_cast<double>(x[i]); });
    mean /= count;
    for_set(set, [&](int64_t i, int64_t) {
        const double distance = static_cast<double>(x[i]) - mean;
        squares += distance * distance;
    });
    return {mean, 1 / std::sqrt(squares / count + layer_.epsilon)};
}

void GroupNormalization::forward_image(Workspace& workspace, int64_t image) const {
    const float* x = workspace.values[map_].image(image);
    float *output = workspace.values[map_ + 1].image(image), *y = workspace.scratch->floats.data();
    for (int64_t set = 0; set < sets_; ++set) {
        const Moments moments = measure(x, set);
        const auto mean = static_cast<float>(moments.mean), inverse = static_cast<float>(moments.inverse);
        for_set(set, [&](int64_t i, int64_t c) { y[i] = (x[i] - mean) * inverse * gamma(c) + beta(c); });
    }
    const int64_t row = layer_.input.width * channels_;
    for (int64_t line = 0; line < layer_.input.height; ++line) {
        std::copy_n(y + line * row, row, output + output_.value.at(line, 0));
    }
}

void GroupNormalization::backward_image(Workspace& workspace, int64_t image, float* gradient) const {
    const float *x = workspace.values[map_].image(image), *dy = workspace.gradients[map_ + 1].image(image);
    float* dx = workspace.scratch->floats.data();
    const auto count = static_cast<double>(set_pixels_ * set_channels_);
    for (int64_t set = 0; set < sets_; ++set) {
        const Moments moments = measure(x, set);
        // In double: of a set of few numbers, the three terms of dx nearly cancel.
        const auto h = [&](int64_t i) { return (static_cast<double>(x[i]) - moments.mean) * moments.inverse; };
        double sum = 0, product = 0;  // of g, and of g h
        for_set(set, [&](int64_t i, int64_t c) {
            const double g = static_cast<double>(dy[i]) * static_cast<double>(gamma(c));
            sum += g;
            product += g * h(i);
            if (gradient == nullptr) return;
            gradient[c] += static_cast<float>(static_cast<double>(dy[i]) * h(i));
            gradient[row_ + c] += dy[i];
        });
        for_set(set, [&](int64_t i, int64_t c) {
            const double g = static_cast<double>(dy[i]) * static_cast<double>(gamma(c));
            dx[i] = static_cast<float>((g - sum / count - h(i) * product / count) * moments.inverse);
        });
    }
    if (wants_input_gradient_) write_input_gradient(workspace, image, dx, layer_.input.width * channels_);
}

void GroupNormalization::collect(const Batch& batch, int64_t, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                                 float* total) const {
    const int64_t width = kernels_.panel_width;
    for (int64_t row = begin; row < end; ++row) {
        add_shards(batch.shards, offset + row * row_ + panel * width, width, kernels_, total + (row - begin) * width);
    }
}

Extents GroupNormalization::extents() const {
    return {Cells::plainly(layer_.input), Cells::in(output_.value, layer_.input), Cells::plainly(layer_.input),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
