#include "max_pooling.hpp"

namespace convscope {

PoolingImage pooling_image(const Layer& layer) {
    PoolingImage p;
    p.in_rows = layer.input.height;
    p.in_columns = layer.input.width;
    p.channels = layer.input.channels;
    p.out_rows = layer.output.height;
    p.out_columns = layer.output.width;
    for (int axis = 0; axis < 2; ++axis) {
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
    const Layout& to = input_.gradient;
    const Shape shape = layer_.input;
    const float* input = workspace.values[map].image(image);
    const float* gradient = workspace.gradients[map + 1].image(image);
    const int32_t* winners = workspace.winners[map].data() + image * winners_size();
    float* input_gradient = workspace.gradients[map].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        for (int64_t x = 0; x < shape.width; ++x) {
            for (int64_t c = 0; c < shape.channels; ++c) input_gradient[to.at(y, x) + c] = 0;
        }
    }
    int64_t i = 0;  // over (row, column, channel) of the output
    for (int64_t y = 0; y < layer_.output.height; ++y) {
        for (int64_t x = 0; x < layer_.output.width; ++x) {
            const int64_t cell = output_.gradient.at(y, x);
            for (int64_t c = 0; c < shape.channels; ++c, ++i) {
                const int64_t winner = winners[i];  // into the input, which lies without a frame
                if (input_.relu && !(input[winner] > 0)) continue;
                const int64_t pixel = winner / shape.channels;
                input_gradient[to.at(pixel / shape.width, pixel % shape.width) + c] += gradient[cell + c];
            }
        }
    }
}

}  // namespace convscope
