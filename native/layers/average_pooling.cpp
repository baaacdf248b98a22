#include "average_pooling.hpp"

#include <cstring>

#include "max_pooling.hpp"

namespace convscope {

AveragePooling::AveragePooling(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                               bool wants_input_gradient)
    : layer_(layer),
      index_(index),
      input_(maps[static_cast<std::size_t>(index)]),
      output_(maps[static_cast<std::size_t>(index) + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient),
      writes_(output_.value.places()) {}

void AveragePooling::forward_image(Workspace& workspace, int64_t image) const {
    const auto map = static_cast<std::size_t>(index_);
    PoolingImage p = pooling_image(layer_);
    p.input = workspace.values[map].image(image);
    p.output = workspace.values[map + 1].image(image);
    p.output_places = writes_.data();
    kernels_.average(p);
}

void AveragePooling::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const auto map = static_cast<std::size_t>(index_);
    const Shape shape = layer_.input;
    float* scratch = workspace.scratch->backward[map].data();
    std::memset(scratch, 0, static_cast<std::size_t>(shape.size()) * sizeof(float));
    PoolingImage p = pooling_image(layer_);
    p.gradient = workspace.gradients[map + 1].image(image);
    p.input_gradient = scratch;
    kernels_.average_backward(p);
    for (int64_t y = 0; y < shape.height; ++y) {
        write_gradient_row(kernels_, scratch + y * shape.width * shape.channels, input_,
                           workspace.values[map].image(image), y, workspace.gradients[map].image(image));
    }
}

Extents AveragePooling::extents() const {
    return {Cells::plainly(layer_.input), Cells::in(output_.value, layer_.output), Cells::plainly(layer_.output),
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
