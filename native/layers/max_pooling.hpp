// Max pooling that stands by itself: after another pooling, first in the network, or of windows other than four places.
#pragma once

#include "map_layer.hpp"

namespace convscope {

// What both poolings tell their kernels: the sizes.
PoolingImage pooling_image(const Layer& layer);

class MaxPooling final : public MapLayer {
   public:
    MaxPooling(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
               bool wants_input_gradient);

    Extents extents() const override;
    int64_t winners_size() const override { return layer_.output.size(); }
    int64_t scratch_size() const override { return wants_input_gradient_ ? layer_.input.size() : 0; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const Layer layer_;
    const int index_;
    const Map input_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
    std::vector<int64_t> writes_;
};

}  // namespace convscope
