// Maps as vectors where the two cannot share their memory: a copy there and back.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Flatten final : public MapLayer {
   public:
    Flatten(int index, const std::vector<Map>& maps, const Kernels& kernels, bool wants_input_gradient)
        : map_(static_cast<std::size_t>(index)),
          input_(maps[map_]),
          kernels_(kernels),
          wants_input_gradient_(wants_input_gradient) {}

    Extents extents() const override {
        const Shape shape = input_.value.shape;
        return {Cells::plainly(shape), Cells::vector(shape.size()), Cells::vector(shape.size()),
                Cells::in(input_.gradient, shape)};
    }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override {
        const float* from = workspace.values[map_].image(image);
        std::copy(from, from + input_.value.size(), workspace.values[map_ + 1].image(image));
    }
    void backward_image(Workspace& workspace, int64_t image, float*) const override {
        if (!wants_input_gradient_) return;
        const Shape shape = input_.value.shape;
        const float* from = workspace.gradients[map_ + 1].image(image);
        for (int64_t y = 0; y < shape.height; ++y) {
            write_gradient_row(kernels_, from + y * shape.width * shape.channels, input_, workspace.values[map_].image(image),
                               y, workspace.gradients[map_].image(image));
        }
    }

    const std::size_t map_;
    const Map input_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

}  // namespace convscope
