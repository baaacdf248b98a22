// A depthwise convolution, with `multiplier` filters for each channel: output o reads channel o / multiplier.
//
//     y[p, o] = act(bias[o] + sum over (r, s) of x[p + (r, s), o / multiplier] kernel[r, s, o])
#pragma once

#include "weighted_layer.hpp"

namespace convscope {

class DepthwiseConvolution final : public WeightedLayer {
   public:
    DepthwiseConvolution(const StepContext& context, Parameters& parameters);

    Extents extents() const override;
    int64_t scratch_size() const override { return wants_input_gradient_ ? input_.value.size() : 0; }

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    DepthwiseImage sizes() const;

    std::vector<int64_t> writes_;
    std::vector<int64_t> sources_;  // the channel of each output; empty if the multiplier is 1
};

}  // namespace convscope
