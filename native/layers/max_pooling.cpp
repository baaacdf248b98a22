#include "max_pooling.hpp"

#include <cstring>

namespace convscope {

PoolingImage pooling_image(const Layer& layer) {
    PoolingImage p;
    p.in_rows = layer.input.height;
    p.in_columns = layer.input.width;
    p.channels = layer.input.channels;
    p.out_rows = layer.output.height;
    p.out_columns = layer.output.width;
    for (std::size_t axis = 0; axis < 2; ++axis) {
        p.size[axis] = layer.window[axis];
        p.stride[axis] = layer.stride[axis];
        p.padding[axis] = layer.padding[axis];
    }
    return p;
}

MaxPooling::MaxPooling(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                       bool wants_input_gradient)
    : layer_(layer),
      index_(index),
      input_(maps[static_cast<std::size_t>(index)]),
      output_(maps[static_cast<std::size_t>(index) + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient),
      writes_(output_.value.places()) {}

void MaxPooling::forward_image(Workspace& workspace, int64_t image) const {
    const auto map = static_cast<std::size_t>(index_);
    PoolingImage p = pooling_image(layer_);
    p.input = workspace.values[map].image(image);
    p.output = workspace.values[map + 1].image(image);
    p.output_places = writes_.data();
    p.winners = workspace.winners_of(map, image, winners_size());
    kernels_.pool(p);
}

void MaxPooling::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const auto map = static_cast<std::size_t>(index_);
    PoolingImage p = pooling_image(layer_);
    p.gradient = workspace.gradients[map + 1].image(image);
    p.winners = workspace.winners_of(map, image, winners_size());
    const bool direct = !input_.relu && input_.gradient.is_plain();
    p.input_gradient = direct ? workspace.gradients[map].image(image) : workspace.scratch->backward[map].data();
    std::memset(p.input_gradient, 0, static_cast<std::size_t>(layer_.input.size()) * sizeof(float));
    kernels_.pool_backward(p);
    if (direct) return;
    const int64_t row = layer_.input.width * layer_.input.channels;
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        write_gradient_row(kernels_, p.input_gradient + y * row, input_, workspace.values[map].image(image), y,
                           workspace.gradients[map].image(image));
    }
}

Extents MaxPooling::extents() const {
    return {Cells::plainly(layer_.input), Cells::in(output_.value, layer_.output), Cells::plainly(layer_.output),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
