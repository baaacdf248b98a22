#include "zero_padding.hpp"

#include <algorithm>

namespace convscope {

// The zeros are written each time: an ablation may have replaced them.
void ZeroPadding::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape, inner = input_.value.shape;
    const int64_t above = layer_.padding[0], before = layer_.padding[1] * shape.channels;
    const int64_t row = inner.width * inner.channels;
    const float* input = workspace.values[map_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        float* const end = to + shape.width * shape.channels;
        if (y >= above && y < above + inner.height) {
            const float* from = input + input_.value.at(y - above, 0);
            std::fill(to, to + before, 0.0f);
            to = std::copy(from, from + row, to + before);
        }
        std::fill(to, end, 0.0f);
    }
}

void ZeroPadding::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    const int64_t first = output_.gradient.at(layer_.padding[0], layer_.padding[1]);
    write_input_gradient(workspace, image, gradient + first, output_.gradient.row());
}

// Both passes go over the whole input, so an output that is cut to less than `reached` fails the plan's check.
Extents ZeroPadding::extents() const {
    const Shape inner = input_.value.shape, shape = output_.value.shape;
    const Shape reached = {layer_.padding[0] + inner.height, layer_.padding[1] + inner.width, inner.channels};
    const Shape written = {std::max(shape.height, reached.height), std::max(shape.width, reached.width), inner.channels};
    return {Cells::in(input_.value, inner), Cells::in(output_.value, written), Cells::in(output_.gradient, reached),
            Cells::in(input_.gradient, inner)};
}

}  // namespace convscope
