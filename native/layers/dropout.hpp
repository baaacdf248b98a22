// Dropout in maps: while training each number is zero with a given chance, and otherwise larger by as much as keeps the
// mean. Elsewhere it changes nothing.
//
// Whether a number is dropped follows from the key of the epoch, the layer, the image's place in the epoch and the
// number's place in the layer, by counting: no generator is handed from one to the next, so threads do not matter.
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

    const int number_;  // in the architecture
};

}  // namespace convscope
