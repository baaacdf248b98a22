#include "addition.hpp"

namespace convscope {

Addition::Addition(const Layer& layer, int index, std::size_t other, const std::vector<Map>& maps, const Kernels& kernels,
                   bool wants_input_gradient)
    : relu_(layer.relu),
      map_(static_cast<std::size_t>(index)),
      other_(other),
      input_(maps[map_]),
      added_(maps[other]),
      output_(maps[map_ + 1]),
      kernels_(kernels),
      wants_input_gradient_(wants_input_gradient) {}

void Addition::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const int64_t row = shape.width * shape.channels;
    const float *x = workspace.values[map_].image(image), *other = workspace.values[other_].image(image);
    float *output = workspace.values[map_ + 1].image(image), *sums = workspace.scratch->forward[map_].data();
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        std::copy(x + input_.value.at(y, 0), x + input_.value.at(y, 0) + row, sums);
        kernels_.add(sums, other + added_.value.at(y, 0), row);
        kernels_.copy_where_positive(to, sums, relu_ ? sums : nullptr, row);
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

void Addition::add_to_other(Workspace& workspace, int64_t begin, int64_t end) const {
    const Shape shape = output_.value.shape;
    float* row = workspace.scratch->backward[map_].data();
    for (int64_t image = begin; image < end; ++image) {
        const float* dy = workspace.gradients[map_ + 1].image(image);
        const float* values = workspace.values[other_].image(image);
        float* gradient = workspace.gradients[other_].image(image);
        for (int64_t y = 0; y < shape.height; ++y) {
            const float* mask = added_.relu ? values + added_.value.at(y, 0) : nullptr;
            kernels_.copy_where_positive(row, dy + output_.gradient.at(y, 0), mask, shape.width * shape.channels);
            for (int64_t x = 0; x < shape.width; ++x) {
                kernels_.add(gradient + added_.gradient.at(y, x), row + x * shape.channels, shape.channels);
            }
        }
    }
}

Extents Addition::extents() const {
    const Shape shape = output_.value.shape;
    return {Cells::in(input_.value, shape),
            Cells::in(output_.value, shape),
            Cells::in(output_.gradient, shape),
            Cells::in(input_.gradient, shape),
            other_,
            Cells::in(added_.value, shape),
            Cells::in(added_.gradient, shape)};
}

}  // namespace convscope
