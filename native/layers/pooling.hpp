// Average pooling, and max pooling that is not fused with a convolution (see pooled_convolution.hpp). The mean of a window
// leaves out padding. A global pooling has one window, the map.
#pragma once

#include "map_layer.hpp"

namespace convscope {

// The sizes of a pooling layer, for its kernel.
PoolingImage pooling_image(const Layer& layer);

class Pooling : public MapLayer {
   public:
    explicit Pooling(const StepContext& context) : MapLayer(context), writes_(output_.value.offsets()) {}

    Extents extents() const override;
    int64_t scratch_size() const override { return wants_input_gradient_ ? layer_.input.size() : 0; }

   protected:
    const std::vector<int64_t> writes_;  // offset of each output pixel
};

class MaxPooling final : public Pooling {
   public:
    using Pooling::Pooling;

    int64_t winners_size() const override { return layer_.output.size(); }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
};

class AveragePooling final : public Pooling {
   public:
    using Pooling::Pooling;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
};

}  // namespace convscope
