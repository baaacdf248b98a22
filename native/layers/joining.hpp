// A map layer that also reads an earlier map, `other`. Its gradient goes to both: to the map before it here, and to `other`
// once the layer that reads it first has written its own part.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Joining : public MapLayer {
   public:
    // Adds this layer's part to the gradient by `other`.
    void add_to_other(Workspace& workspace, int64_t begin, int64_t end) const;

    Extents extents() const override;
    int64_t scratch_size() const override { return output_.value.shape.width * output_.value.shape.channels; }

   protected:
    Joining(int index, std::size_t other, const std::vector<Map>& maps, const Kernels& kernels, bool wants_input_gradient)
        : map_(static_cast<std::size_t>(index)),
          other_(other),
          input_(maps[map_]),
          earlier_(maps[other]),
          output_(maps[map_ + 1]),
          kernels_(kernels),
          wants_input_gradient_(wants_input_gradient) {}

    // Writes `count` channels, from `first`, of row `y` of the gradient by the output as a row of their own; zeros where
    // `mask`, if it is not null, is not positive.
    void take_channels(const Workspace& workspace, int64_t image, int64_t y, int64_t first, int64_t count,
                       const float* mask, float* row) const;

    const std::size_t map_, other_;
    const Map input_, earlier_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

}  // namespace convscope
