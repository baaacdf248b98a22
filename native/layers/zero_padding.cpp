#include "zero_padding.hpp"

#include <algorithm>

namespace convscope {

ZeroPadding::ZeroPadding(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                         bool wants_input_gradient)
    : above_(layer.padding[0]),
      left_(layer.padding[1]),
      map_(static_cast<std::size_t>(index)),
      input_(maps[map_]),
      output_(maps[map_ + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient) {}

// The zeros are written each time: an ablation may have replaced them.
void ZeroPadding::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape, inner = input_.value.shape;
    const int64_t before = left_ * shape.channels, row = inner.width * inner.channels;
    const float* input = workspace.values[map_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        float* const end = to + shape.width * shape.channels;
        if (y >= above_ && y < above_ + inner.height) {
            const float* from = input + input_.value.at(y - above_, 0);
            std::fill(to, to + before, 0.0f);
            to = std::copy(from, from + row, to + before);
        }
        std::fill(to, end, 0.0f);
    }
}

void ZeroPadding::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    for (int64_t y = 0; y < input_.value.shape.height; ++y) {
        write_gradient_row(kernels_, gradient + output_.gradient.at(above_ + y, left_), input_,
                           workspace.values[map_].image(image), y, workspace.gradients[map_].image(image));
    }
}

Extents ZeroPadding::extents() const {
    const Shape inner = input_.value.shape, shape = output_.value.shape;
    const Shape reached = {above_ + inner.height, left_ + inner.width, inner.channels};
    const Shape written = {std::max(shape.height, reached.height), std::max(shape.width, reached.width), inner.channels};
    return {Cells::in(input_.value, inner), Cells::in(output_.value, written), Cells::in(output_.gradient, reached),
            Cells::in(input_.gradient, inner)};
}

}  // namespace convscope
