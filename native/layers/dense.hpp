// A dense layer with bias and relu, for all images of a slice in one product:
//     y[n, f] = act(bias[f] + sum over i of x[n, i] kernel[i, f])
// A slice is 8 images or fewer. The weights' gradient is not summed slice by slice, since it is as large as the
// weights: the batch keeps the vectors x and dy of all images, and `collect` multiplies them, x' dy, a block of weights
// at a time.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class Dense final : public MapLayer {
   public:
    // `vector` is the index of its input among the vectors that a batch keeps.
    Dense(const StepContext& context, Parameters& parameters, std::size_t vector);

    Extents extents() const override;
    void forward(Workspace& workspace, int64_t begin, int64_t end) const override;
    void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const override;
    std::unique_ptr<ChannelSums> channel_sums() const override;
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    const Parameters& parameters_;
    const std::size_t vector_;
};

}  // namespace convscope
