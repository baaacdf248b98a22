// Residual addition with relu: y = act(x + other), where `other` is an earlier map. Its gradient goes to both: to x here,
// and to `other` once the layer that reads it first has written its own part.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Addition final : public MapLayer {
   public:
    Addition(const Layer& layer, int index, std::size_t other, const std::vector<Map>& maps, const Kernels& kernels,
             bool wants_input_gradient);

    // Adds this layer's part to the gradient by `other`.
    void add_to_other(Workspace& workspace, int64_t begin, int64_t end) const;

    Extents extents() const override;
    int64_t scratch_size() const override { return output_.value.shape.width * output_.value.shape.channels; }

    int64_t forward_scratch_size() const override { return scratch_size(); }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const bool relu_;
    const std::size_t map_, other_;
    const Map input_, added_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

}  // namespace convscope
