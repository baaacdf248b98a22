// Map layers that read two maps: the previous one and an earlier one, map number `earlier_map`. The forward pass adds,
// multiplies or concatenates them. The backward pass divides the gradient:
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
    // Returns row `y` of what is added to the earlier map's gradient, zero where `mask` is not positive. `mask` are the
    // earlier map's values if it ends in a relu, else null.
    virtual const float* earlier_gradient_row(const Workspace& workspace, int64_t image, int64_t y,
                                              const float* mask) const;
    // Copies channels [first, first + count) of row `y` of the output's gradient to `row`, (width, count); zero where `mask`
    // is not positive.
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

// The earlier map times the previous one, which has the same shape, or one pixel that multiplies all.
class Multiplication final : public Joining {
   public:
    using Joining::Joining;

    int64_t forward_scratch_size() const override { return Joining::scratch_size(); }  // a row of zeros
    int64_t scratch_size() const override { return 3 * row(); }                        // zeros, products, masked products

   protected:
    const float* earlier_gradient_row(const Workspace& workspace, int64_t image, int64_t y,
                                      const float* mask) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    int64_t row() const { return round_up(Joining::scratch_size(), kernels_.vector_width); }
    bool has_one_pixel() const { return input_.value.shape.size() < output_.value.shape.size(); }
    // A row as the kernels of batch normalisation take it: pixels of channels that each have a factor. Of maps of the same
    // shape, a row is one pixel, and each of its numbers a channel.
    int64_t pixels() const { return has_one_pixel() ? output_.value.shape.width : 1; }
    int64_t channels() const { return Joining::scratch_size() / pixels(); }
    // The factors of row `y`.
    const float* factors(const Workspace& workspace, int64_t image, int64_t y) const {
        return workspace.values[map_].image(image) + input_.value.at(has_one_pixel() ? 0 : y, 0);
    }
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
