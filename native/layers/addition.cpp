#include "addition.hpp"

namespace convscope {

void Addition::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const int64_t row = shape.width * shape.channels;
    const float *x = workspace.values[map_].image(image), *other = workspace.values[other_].image(image);
    float *output = workspace.values[map_ + 1].image(image), *sums = workspace.scratch->forward[map_].data();
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        kernels_.add_scaled(relu_ ? sums : to, x + input_.value.at(y, 0), other + earlier_.value.at(y, 0), 1, row);
        if (relu_) kernels_.copy_where_positive(to, sums, sums, row);
    }
}

void Addition::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const Shape shape = output_.value.shape;
    const float* dy = workspace.gradients[map_ + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        write_gradient_row(kernels_, dy + output_.gradient.at(y, 0), input_, workspace.values[map_].image(image), y,
                           workspace.gradients[map_].image(image));
    }
}

}  // namespace convscope
