// Zero padding as a layer of its own: maps in a frame of zeros that later layers read as numbers like any other.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class ZeroPadding final : public MapLayer {
   public:
    using MapLayer::MapLayer;

    Extents extents() const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
};

}  // namespace convscope
