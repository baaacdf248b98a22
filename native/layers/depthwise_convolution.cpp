#include "depthwise_convolution.hpp"

#include <cstring>

namespace convscope {

DepthwiseConvolution::DepthwiseConvolution(const StepContext& context, Parameters& parameters)
    : WeightedLayer(context, parameters), writes_(output_.value.offsets()) {
    const int64_t multiplier = layer_.output.channels / layer_.input.channels;
    if (multiplier == 1) return;
    // Up to a whole register: lanes after the last output read channel 0 and are not stored.
    for (int64_t o = 0; o < round_up(layer_.output.channels, kernels_.vector_width); ++o) {
        sources_.push_back(o < layer_.output.channels ? o / multiplier : 0);
    }
}

DepthwiseImage DepthwiseConvolution::sizes() const {
    DepthwiseImage p;
    p.input_row = input_.value.row();
    p.channels = layer_.input.channels;
    p.outputs = layer_.output.channels;
    p.sources = sources_.empty() ? nullptr : sources_.data();
    p.out_rows = layer_.output.height;
    p.out_columns = layer_.output.width;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        p.size[axis] = layer_.window[axis];
        p.stride[axis] = layer_.stride[axis];
    }
    p.kernel_row = layer_.dilation[0] * p.input_row;
    p.kernel_column = layer_.dilation[1] * p.channels;
    p.weights = parameters_.panel(0);
    p.panel_size = parameters_.panel_size();
    return p;
}

void DepthwiseConvolution::forward_image(Workspace& workspace, int64_t image) const {
    DepthwiseImage p = sizes();
    p.input = workspace.values[map_].image(image);
    p.relu = layer_.relu;
    p.output = workspace.values[map_ + 1].image(image);
    p.output_offsets = writes_.data();
    kernels_.depthwise(p);
}

void DepthwiseConvolution::backward_image(Workspace& workspace, int64_t image, float* gradient) const {
    DepthwiseImage p = sizes();
    p.input = workspace.values[map_].image(image);
    p.gradient = workspace.gradients[map_ + 1].image(image);
    p.kernel_gradient = gradient;
    if (gradient != nullptr) kernels_.depthwise_kernel(p);
    if (!wants_input_gradient_) return;
    // Windows reach into the padding, so the gradient is summed in a map with padding, whose inside is then copied.
    float* scratch = workspace.scratch->floats.data();
    std::memset(scratch, 0, static_cast<std::size_t>(input_.value.size()) * sizeof(float));
    p.input_gradient = scratch;
    kernels_.depthwise_input(p);
    write_input_gradient(workspace, image, scratch + input_.value.at(0, 0), input_.value.row());
}

Extents DepthwiseConvolution::extents() const {
    const int64_t last_row = (layer_.output.height - 1) * layer_.stride[0] + layer_.reach(0) - 1;
    const int64_t columns = (layer_.output.width - 1) * layer_.stride[1] + layer_.reach(1);
    return {{layer_.input, last_row * input_.value.row() + columns * layer_.input.channels},
            Cells::in(output_.value, layer_.output), Cells::plainly(layer_.output),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
