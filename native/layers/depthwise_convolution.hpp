// A convolution of each channel by itself, `multiplier` filters a channel: output o reads channel o / multiplier.
//
//     y[p, o] = act(bias[o] + sum over (r, s) of x[p + (r, s), o / multiplier] kernel[r, s, o])
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class DepthwiseConvolution final : public MapLayer {
   public:
    DepthwiseConvolution(const Layer& layer, int index, const std::vector<Map>& maps, const Parameters& parameters,
                         const Kernels& kernels, bool wants_input_gradient);

    Extents extents() const override;
    int64_t scratch_size() const override { return wants_input_gradient_ ? input_.value.size() : 0; }
    int64_t gradient_size() const override { return parameters_.size(); }
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end, float* total) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    DepthwiseImage sizes() const;

    const Layer layer_;
    const int index_;
    const Map input_, output_;
    const Parameters& parameters_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
    std::vector<int64_t> writes_;
    std::vector<int64_t> sources_;  // by output, its channel; empty where every channel has one
};

}  // namespace convscope
