// The layer ZeroPadding2D: surrounds a map with zeros, which later layers read as values.
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
