// Dropout: in training each value is zero with probability `rate`, else divided by 1 - rate, which keeps the mean. In
// prediction it changes nothing.
//
// Whether a value is dropped is a hash of the epoch's key, the layer, the position of the image in the epoch and the index of
// the value in the layer. There is no generator with a state, so the result does not depend on threads.
#pragma once

#include "map_layer.hpp"

namespace convscope {

// The start of an image's sequence in layer `layer` of the architecture, for `kernels.dropout`.
uint64_t dropout_start(uint64_t key, int64_t layer, int64_t image);

class Dropout final : public MapLayer {
   public:
    Dropout(const StepContext& context, int number) : MapLayer(context), number_(number) {}

    Extents extents() const override;
    int64_t scratch_size() const override { return layer_.input.width * layer_.input.channels; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    const int number_;  // index of the layer in the architecture
};

}  // namespace convscope
