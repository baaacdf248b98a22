// A map layer with weights. Each shard of the batch, the images that one thread computes one slice after another, sums
// its weights' gradients in an array with the layout of Parameters; `collect` adds the shards' sums.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class WeightedLayer : public MapLayer {
   public:
    WeightedLayer(const StepContext& context, Parameters& parameters) : MapLayer(context), parameters_(parameters) {}

    int64_t gradient_size() const override { return parameters_.size(); }
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   protected:
    // Adds the gradient with respect to the bias: for each filter, the sum of the output gradient over all pixels.
    void add_bias_gradient(const float* output_gradient, float* gradient) const;

    Parameters& parameters_;
};

}  // namespace convscope
