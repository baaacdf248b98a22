// Copies a map to a vector, if the two cannot share memory; the backward pass copies the gradient to the map's layout.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Flatten final : public MapLayer {
   public:
    using MapLayer::MapLayer;

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
        const int64_t row = input_.value.shape.width * input_.value.shape.channels;
        write_input_gradient(workspace, image, workspace.gradients[map_ + 1].image(image), row);
    }
};

}  // namespace convscope
