// Average pooling: the mean of each window's pixels, those of padding not counted. Over the whole map it is global.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class AveragePooling final : public MapLayer {
   public:
    AveragePooling(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                   bool wants_input_gradient);

    Extents extents() const override;
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
