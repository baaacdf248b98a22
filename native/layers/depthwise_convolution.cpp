#include "depthwise_convolution.hpp"

#include <cstring>

namespace convscope {

DepthwiseConvolution::DepthwiseConvolution(const Layer& layer, int index, const std::vector<Map>& maps,
                                           const Parameters& parameters, const Kernels& kernels,
                                           bool wants_input_gradient)
    : layer_(layer),
      index_(index),
      input_(maps[static_cast<std::size_t>(index)]),
      output_(maps[static_cast<std::size_t>(index) + 1]),
      parameters_(parameters),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient),
      writes_(output_.value.places()) {
    const int64_t multiplier = layer.output.channels / layer.input.channels;
    if (multiplier == 1) return;
    // Up to a whole register: lanes behind the last output read some channel, and are not stored.
    for (int64_t o = 0; o < round_up(layer.output.channels, kernels.vector_width); ++o) {
        sources_.push_back(o < layer.output.channels ? o / multiplier : 0);
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
    const auto map = static_cast<std::size_t>(index_);
    DepthwiseImage p = sizes();
    p.input = workspace.values[map].image(image);
    p.relu = layer_.relu;
    p.output = workspace.values[map + 1].image(image);
    p.output_places = writes_.data();
    kernels_.depthwise(p);
}

void DepthwiseConvolution::backward_image(Workspace& workspace, int64_t image, float* gradient) const {
    const auto map = static_cast<std::size_t>(index_);
    DepthwiseImage p = sizes();
    p.input = workspace.values[map].image(image);
    p.gradient = workspace.gradients[map + 1].image(image);
    p.kernel_gradient = gradient;
    if (gradient != nullptr) kernels_.depthwise_kernel(p);
    if (!wants_input_gradient_) return;
    // The windows reach into the frame of zeros, so the sums are made in a map with that frame, and its inside is kept.
    float* scratch = workspace.scratch->backward[map].data();
    std::memset(scratch, 0, static_cast<std::size_t>(input_.value.size()) * sizeof(float));
    p.input_gradient = scratch;
    kernels_.depthwise_input(p);
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        write_gradient_row(kernels_, scratch + input_.value.at(y, 0), input_, p.input, y,
                           workspace.gradients[map].image(image));
    }
}

void DepthwiseConvolution::collect(const Batch& batch, int64_t, int64_t offset, int64_t panel, int64_t begin, int64_t end, float* total) const {
    const int64_t width = kernels_.panel_width;
    add_shards(batch.shards, offset + panel * parameters_.panel_size() + begin * width, (end - begin) * width, kernels_, total);
}

Extents DepthwiseConvolution::extents() const {
    const int64_t last_row = (layer_.output.height - 1) * layer_.stride[0] + layer_.reach(0) - 1;
    const int64_t columns = (layer_.output.width - 1) * layer_.stride[1] + layer_.reach(1);
    return {{layer_.input, last_row * input_.value.row() + columns * layer_.input.channels},
            Cells::in(output_.value, layer_.output),
            Cells::plainly(layer_.output),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
