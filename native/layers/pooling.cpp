#include "pooling.hpp"

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

Extents Pooling::extents() const {
    return {Cells::plainly(layer_.input), Cells::in(output_.value, layer_.output), Cells::plainly(layer_.output),
            Cells::in(input_.gradient, layer_.input)};
}

void MaxPooling::forward_image(Workspace& workspace, int64_t image) const {
    PoolingImage p = pooling_image(layer_);
    p.input = workspace.values[map_].image(image);
    p.output = workspace.values[map_ + 1].image(image);
    p.output_offsets = writes_.data();
    p.winners = workspace.winners_of(map_, image, winners_size());
    kernels_.pool(p);
}

void MaxPooling::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    PoolingImage p = pooling_image(layer_);
    p.gradient = workspace.gradients[map_ + 1].image(image);
    p.winners = workspace.winners_of(map_, image, winners_size());
    const bool direct = !input_.relu && input_.gradient.is_plain();
    p.input_gradient = direct ? workspace.gradients[map_].image(image) : workspace.scratch->floats.data();
    std::memset(p.input_gradient, 0, static_cast<std::size_t>(layer_.input.size()) * sizeof(float));
    kernels_.pool_backward(p);
    if (!direct) write_input_gradient(workspace, image, p.input_gradient, layer_.input.width * layer_.input.channels);
}

void AveragePooling::forward_image(Workspace& workspace, int64_t image) const {
    PoolingImage p = pooling_image(layer_);
    p.input = workspace.values[map_].image(image);
    p.output = workspace.values[map_ + 1].image(image);
    p.output_offsets = writes_.data();
    kernels_.average(p);
}

void AveragePooling::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    PoolingImage p = pooling_image(layer_);
    p.gradient = workspace.gradients[map_ + 1].image(image);
    p.input_gradient = workspace.scratch->floats.data();
    std::memset(p.input_gradient, 0, static_cast<std::size_t>(layer_.input.size()) * sizeof(float));
    kernels_.average_backward(p);
    write_input_gradient(workspace, image, p.input_gradient, layer_.input.width * layer_.input.channels);
}

}  // namespace convscope
