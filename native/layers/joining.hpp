// Map layers that read two maps: the previous one and an earlier one, map number `earlier_map`. The forward pass adds or
// concatenates them. The backward pass divides the gradient:
//
//     backward             writes the gradient with respect to the previous map, like every other layer
//     add_to_earlier       adds to the gradient of the loss by the earlier map. Network calls it when the backward pass
//                          has come down to the first layer that reads this map, which has just written the gradient.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Joining : public MapLayer {
   public:
    // `earlier` describes the memory layout of the earlier map.
    Joining(const StepContext& context, std::size_t earlier_map, const Map& earlier)
        : MapLayer(context), earlier_map_(earlier_map), earlier_(earlier) {}

    // Adds to the gradient with respect to the earlier map, for images [begin, end).
    void add_to_earlier(Workspace& workspace, int64_t begin, int64_t end) const;

    Extents extents() const override;
    // Of the backward pass: a row of the output's gradient.
    int64_t scratch_size() const override { return output_.value.shape.width * output_.value.shape.channels; }

   protected:
    // Copies channels [first, first + count) of row `y` of the output's gradient to `row`, (width, count). `mask` are the
    // earlier map's values if it ends in a relu, else null: where it is not positive, `row` becomes zero.
    void take_channels(const Workspace& workspace, int64_t image, int64_t y, int64_t first, int64_t count,
                       const float* mask, float* row) const;

    const std::size_t earlier_map_;
    const Map earlier_;
};

// Residual addition: y = act(previous + earlier).
class Addition final : public Joining {
   public:
    using Joining::Joining;

    int64_t forward_scratch_size() const override { return scratch_size(); }  // a row of sums before the activation

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
};

// The channels of the earlier map, then those of the previous map. A `Branch` layer outputs the earlier map alone.
class Concatenation final : public Joining {
   public:
    using Joining::Joining;

    // A row of either map's gradient. A branch writes zeros for the previous map.
    int64_t scratch_size() const override {
        return std::max(Joining::scratch_size(), input_.value.shape.width * input_.value.shape.channels);
    }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    // Channels of the output that come from the previous map; 0 in a branch.
    int64_t own_channels() const { return output_.value.shape.channels - earlier_.value.shape.channels; }
};

}  // namespace convscope
