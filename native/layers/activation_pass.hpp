// A map layer that computes number by number what no product finishes with: an activation other than relu, or relu where
// the gradient by what comes out of it is wanted; and whatever an activation that is a layer of its own computes.
//
// It stands behind the layer that names it as a layer of the plan, because its derivative is taken where the number was.
//
// The output may have fewer rows and columns than the input, where the layer behind reads no more of them: see Plan. Only
// those are computed, and the gradient by the rest of the input is zero.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class ActivationPass final : public MapLayer {
   public:
    // `slopes` are those of PReLU, a leaky relu with one that is learned for each channel.
    explicit ActivationPass(const StepContext& context, const Parameters* slopes = nullptr)
        : MapLayer(context), slopes_(slopes), row_(input_.value.shape.width * input_.value.shape.channels) {}

    Extents extents() const override;
    int64_t forward_scratch_size() const override { return slopes_ == nullptr ? 0 : row_; }
    int64_t scratch_size() const override { return slopes_ == nullptr ? row_ : 3 * row_; }
    int64_t gradient_size() const override { return slopes_ == nullptr ? 0 : slopes_->panels() * kernels_.panel_width; }
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
    // Writes the slope of each number of a row.
    void write_slopes(float* slopes) const;

    const Parameters* const slopes_;
    const int64_t row_;  // numbers of a row of the input
};

}  // namespace convscope
