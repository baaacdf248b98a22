#include "activation_pass.hpp"

#include <algorithm>

namespace convscope {

void ActivationPass::write_slopes(float* slopes) const {
    const int64_t width = kernels_.panel_width, channels = input_.value.shape.channels;
    for (int64_t c = 0; c < channels; ++c) slopes[c] = slopes_->panel(c / width)[c % width];
    for (int64_t i = channels; i < row_; ++i) slopes[i] = slopes[i - channels];
}

void ActivationPass::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    float* slopes = workspace.scratch->floats.data();
    if (slopes_ != nullptr) write_slopes(slopes);
    const int64_t count = shape.width * shape.channels;
    for (int64_t y = 0; y < shape.height; ++y) {
        const float* from = input + input_.value.at(y, 0);
        float* to = output + output_.value.at(y, 0);
        if (slopes_ != nullptr) {
            kernels_.prelu(from, slopes, count, to);
        } else {
            kernels_.activate(layer_.activation, layer_.slope, from, count, to);
        }
    }
}

void ActivationPass::backward_image(Workspace& workspace, int64_t image, float* slopes_gradient) const {
    if (!wants_input_gradient_ && slopes_gradient == nullptr) return;
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map_].image(image);
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    float* row = workspace.scratch->floats.data();
    // Rows and columns of the input that the output leaves out have a gradient of zero.
    const int64_t count = shape.width * shape.channels;
    std::fill(row + count, row + row_, 0.0f);
    float *slopes = row + row_, *sums = slopes + row_;  // the scratch of PReLU is: row of dx | slopes | sums
    if (slopes_ != nullptr) {
        write_slopes(slopes);
        std::fill(sums, sums + row_, 0.0f);
    }
    for (int64_t y = 0; y < input_.value.shape.height; ++y) {
        if (y >= shape.height) {
            std::fill(row, row + row_, 0.0f);
        } else {
            const float *x = input + input_.value.at(y, 0), *dy = gradient + output_.gradient.at(y, 0);
            if (slopes_ != nullptr) {
                kernels_.prelu_backward(x, dy, slopes, count, row, sums);
            } else {
                kernels_.activate_backward(layer_.activation, layer_.slope, x, dy, count, row);
            }
        }
        if (wants_input_gradient_) {
            write_gradient_row(kernels_, row, input_, input, y, workspace.gradients[map_].image(image));
        }
    }
    if (slopes_ == nullptr || slopes_gradient == nullptr) return;
    for (int64_t i = 0; i < count; i += shape.channels) kernels_.add(slopes_gradient, sums + i, shape.channels);
}

void ActivationPass::collect(const Batch& batch, int64_t, int64_t offset, int64_t panel, int64_t, int64_t,
                             float* total) const {
    const int64_t width = kernels_.panel_width;  // the slopes are one row
    add_shards(batch.shards, offset + panel * width, width, kernels_, total);
}

Extents ActivationPass::extents() const {
    const Shape computed = output_.value.shape;
    return {Cells::in(input_.value, computed), Cells::in(output_.value, computed), Cells::in(output_.gradient, computed),
            Cells::in(input_.gradient, input_.value.shape)};
}

}  // namespace convscope
