// Zero padding as a layer of its own: maps in a frame of zeros that later layers read as numbers like any other.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class ZeroPadding final : public MapLayer {
   public:
    ZeroPadding(const Layer& layer, int index, const std::vector<Map>& maps, const Kernels& kernels,
                bool wants_input_gradient);

    Extents extents() const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const int64_t above_, left_;
    const std::size_t map_;
    const Map input_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

}  // namespace convscope
