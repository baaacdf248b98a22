// A map layer with a matrix of weights whose gradient is the sum of the shards' in the same layout.
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
    // Adds the sum of an image's gradient by the output over all places, by filter.
    void add_bias_gradient(const float* output_gradient, float* gradient) const;

    Parameters& parameters_;
};

}  // namespace convscope
