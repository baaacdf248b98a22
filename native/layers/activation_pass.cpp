#include "activation_pass.hpp"

#include <algorithm>

namespace convscope {

ActivationPass::ActivationPass(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                               bool wants_input_gradient, const Parameters* slopes)
    : activation_(layer.activation),
      slope_(layer.slope),
      index_(index),
      input_(maps[static_cast<std::size_t>(index)]),
      output_(maps[static_cast<std::size_t>(index) + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient),
      slopes_(slopes),
      channels_(input_.value.shape.channels),
      row_(input_.value.shape.width * channels_) {}

void ActivationPass::write_slopes(float* slopes) const {
    const int64_t width = kernels_.panel_width;
    for (int64_t c = 0; c < channels_; ++c) slopes[c] = slopes_->panel(c / width)[c % width];
    for (int64_t i = channels_; i < row_; ++i) slopes[i] = slopes[i - channels_];
}

void ActivationPass::forward_image(Workspace& workspace, int64_t image) const {
    const auto map = static_cast<std::size_t>(index_);
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map].image(image);
    float* output = workspace.values[map + 1].image(image);
    float* slopes = workspace.scratch->forward[map].data();
    if (slopes_ != nullptr) write_slopes(slopes);
    const int64_t count = shape.width * shape.channels;
    for (int64_t y = 0; y < shape.height; ++y) {
        const float* from = input + input_.value.at(y, 0);
        float* to = output + output_.value.at(y, 0);
        if (slopes_ != nullptr) {
            kernels_.prelu(from, slopes, count, to);
        } else {
            kernels_.activate(activation_, slope_, from, count, to);
        }
    }
}

void ActivationPass::backward_image(Workspace& workspace, int64_t image, float* by_slopes) const {
    if (!wants_input_gradient_ && by_slopes == nullptr) return;
    const auto map = static_cast<std::size_t>(index_);
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map].image(image);
    const float* gradient = workspace.gradients[map + 1].image(image);
    float* row = workspace.scratch->backward[map].data();
    // Nothing depends on the input's rows and columns that were cut from the output.
    const int64_t count = shape.width * shape.channels;
    std::fill(row + count, row + row_, 0.0f);
    float *slopes = row + row_, *sums = slopes + row_;
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
                kernels_.activate_backward(activation_, slope_, x, dy, count, row);
            }
        }
        if (wants_input_gradient_) {
            write_gradient_row(kernels_, row, input_, input, y, workspace.gradients[map].image(image));
        }
    }
    if (slopes_ == nullptr || by_slopes == nullptr) return;
    for (int64_t i = 0; i < count; i += channels_) kernels_.add(by_slopes, sums + i, channels_);
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
