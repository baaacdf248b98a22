#include "activation_pass.hpp"

#include <algorithm>

namespace convscope {

ActivationPass::ActivationPass(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                               bool wants_input_gradient)
    : activation_(layer.activation),
      slope_(layer.slope),
      index_(index),
      input_(maps[static_cast<std::size_t>(index)]),
      output_(maps[static_cast<std::size_t>(index) + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient) {}

void ActivationPass::forward_image(Workspace& workspace, int64_t image) const {
    const auto map = static_cast<std::size_t>(index_);
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map].image(image);
    float* output = workspace.values[map + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        kernels_.activate(activation_, slope_, input + input_.value.at(y, 0), shape.width * shape.channels,
                          output + output_.value.at(y, 0));
    }
}

void ActivationPass::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const auto map = static_cast<std::size_t>(index_);
    const Shape shape = output_.value.shape;
    const float* input = workspace.values[map].image(image);
    const float* gradient = workspace.gradients[map + 1].image(image);
    float* row = workspace.scratch->backward[map].data();
    // Nothing depends on the input's rows and columns that were cut from the output.
    std::fill(row + shape.width * shape.channels, row + scratch_size(), 0.0f);
    for (int64_t y = 0; y < input_.value.shape.height; ++y) {
        if (y < shape.height) {
            kernels_.activate_backward(activation_, slope_, input + input_.value.at(y, 0), gradient + output_.gradient.at(y, 0),
                                       shape.width * shape.channels, row);
        } else {
            std::fill(row, row + scratch_size(), 0.0f);
        }
        write_gradient_row(kernels_, row, input_, input, y, workspace.gradients[map].image(image));
    }
}

Extents ActivationPass::extents() const {
    const Shape computed = output_.value.shape;
    return {Cells::in(input_.value, computed), Cells::in(output_.value, computed), Cells::in(output_.gradient, computed),
            Cells::in(input_.gradient, input_.value.shape)};
}

}  // namespace convscope
