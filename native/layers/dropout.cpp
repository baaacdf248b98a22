#include "dropout.hpp"

#include <algorithm>

#include "kernels/split_mix.hpp"

namespace convscope {

uint64_t dropout_start(uint64_t key, int64_t layer, int64_t image) { return split_mix(split_mix(key, layer), image); }

void Dropout::forward_image(Workspace& workspace, int64_t image) const {
    const float* input = workspace.values[map_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    const int64_t row = layer_.input.width * layer_.input.channels;
    const Chance& chance = workspace.chance;
    const uint64_t start = dropout_start(chance.key, number_, chance.first + image);  // `first`: of the slice, in the epoch
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        const float* from = input + input_.value.at(y, 0);
        float* to = output + output_.value.at(y, 0);
        if (chance.drops) {
            kernels_.dropout(start, y * row, layer_.dropped, from, row, to);
        } else {
            std::copy(from, from + row, to);
        }
    }
}

void Dropout::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    const Chance& chance = workspace.chance;
    if (!chance.drops) return write_input_gradient(workspace, image, gradient + output_.gradient.at(0, 0), output_.gradient.row());
    // The same start gives the same numbers as in the forward pass, so the same values are dropped.
    const uint64_t start = dropout_start(chance.key, number_, chance.first + image);
    const int64_t row = layer_.input.width * layer_.input.channels;
    float* scratch = workspace.scratch->floats.data();
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        kernels_.dropout(start, y * row, layer_.dropped, gradient + output_.gradient.at(y, 0), row, scratch);
        write_gradient_row(kernels_, scratch, input_, workspace.values[map_].image(image), y,
                           workspace.gradients[map_].image(image));
    }
}

Extents Dropout::extents() const {
    return {Cells::in(input_.value, layer_.input), Cells::in(output_.value, layer_.input),
            Cells::in(output_.gradient, layer_.input), Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
