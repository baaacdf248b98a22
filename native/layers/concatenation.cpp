#include "concatenation.hpp"

namespace convscope {

void Concatenation::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const int64_t first = earlier_.value.shape.channels, own = own_channels();
    const float *x = workspace.values[map_].image(image), *other = workspace.values[other_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        const float* from = other + earlier_.value.at(y, 0);
        if (own == 0) {
            std::copy(from, from + shape.width * first, to);
            continue;
        }
        const float* beside = x + input_.value.at(y, 0);
        for (int64_t column = 0; column < shape.width; ++column, from += first, beside += own, to += shape.channels) {
            std::copy(from, from + first, to);
            std::copy(beside, beside + own, to + first);
        }
    }
}

void Concatenation::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const Shape shape = input_.value.shape;
    const int64_t own = own_channels();
    float* row = workspace.scratch->backward[map_].data();
    if (own == 0) std::fill_n(row, shape.width * shape.channels, 0.0f);
    for (int64_t y = 0; y < shape.height; ++y) {
        if (own > 0) take_channels(workspace, image, y, earlier_.value.shape.channels, own, nullptr, row);
        write_gradient_row(kernels_, row, input_, workspace.values[map_].image(image), y,
                           workspace.gradients[map_].image(image));
    }
}

}  // namespace convscope
