// Map layers that also read an earlier map, number `other`: sums and concatenations. Each of the two maps gets its part of
// the gradient; that for `other` is added after the first reader of that map has written its own.
#pragma once

#include "map_layer.hpp"

namespace convscope {

class Joining : public MapLayer {
   public:
    // `earlier` describes the memory layout of map number `other`.
    Joining(const StepContext& context, std::size_t other, const Map& earlier)
        : MapLayer(context), other_(other), earlier_(earlier) {}

    // Adds this layer's part to the gradient by `other`.
    void add_to_other(Workspace& workspace, int64_t begin, int64_t end) const;

    Extents extents() const override;
    int64_t scratch_size() const override { return output_.value.shape.width * output_.value.shape.channels; }

   protected:
    // Writes `count` channels, from `first`, of row `y` of the gradient by the output as a row of their own; zeros where
    // `mask`, if it is not null, is not positive.
    void take_channels(const Workspace& workspace, int64_t image, int64_t y, int64_t first, int64_t count,
                       const float* mask, float* row) const;

    const std::size_t other_;
    const Map earlier_;
};

// Residual addition with relu: y = act(x + other).
class Addition final : public Joining {
   public:
    using Joining::Joining;

    int64_t forward_scratch_size() const override { return scratch_size(); }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
};

// The channels of `other`, followed by those of the previous map. A branch outputs the channels of `other` alone.
class Concatenation final : public Joining {
   public:
    using Joining::Joining;

    // Room for a row of the gradient by either map, zeros for the map that a branch ignores.
    int64_t scratch_size() const override {
        return std::max(Joining::scratch_size(), input_.value.shape.width * input_.value.shape.channels);
    }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    // The output's channels that come from the previous map.
    int64_t own_channels() const { return output_.value.shape.channels - earlier_.value.shape.channels; }
};

}  // namespace convscope
