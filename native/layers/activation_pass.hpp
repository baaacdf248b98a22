// A map layer that computes number by number what no product finishes with: an activation other than relu, or relu where
// the gradient by what comes out of it is wanted; and whatever an activation that is a layer of its own computes.
//
// It stands behind the layer that names it as a layer of the plan, because its derivative is taken where the number was.
//
// The output may have fewer rows and columns than the input, where the layer behind reads no more of them: see Plan. Only
// those are computed, and the gradient by the rest of the input is zero.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class ActivationPass final : public MapLayer {
   public:
    ActivationPass(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                   bool wants_input_gradient);

    Extents extents() const override;
    int64_t scratch_size() const override { return input_.value.shape.width * input_.value.shape.channels; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const Activation activation_;
    const float slope_;
    const int index_;
    const Map input_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

}  // namespace convscope
