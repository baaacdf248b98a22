// An elementwise activation: y = f(x), dx = f'(x) dy. Relu is usually fused into the layer before it; this class
// computes relu only if the gradient with respect to its output is wanted, and every other activation always. The plan
// makes it a step of its own, because f' needs x, which a fused activation would overwrite.
//
// The output may have fewer rows and columns than the input if the next layer reads no more (see Plan). Only those are
// computed, and the gradient with respect to the rest of the input is zero.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class ActivationPass final : public MapLayer {
   public:
    // `slopes` belong to PReLU, a leaky relu with a learned slope for each channel; null for other activations.
    explicit ActivationPass(const StepContext& context, const Parameters* slopes = nullptr)
        : MapLayer(context), slopes_(slopes), row_(input_.value.shape.width * input_.value.shape.channels) {}

    Extents extents() const override;
    int64_t forward_scratch_size() const override { return slopes_ == nullptr ? 0 : row_; }
    int64_t scratch_size() const override { return slopes_ == nullptr ? row_ : 3 * row_; }  // dx, slopes, their sums
    int64_t gradient_size() const override { return slopes_ == nullptr ? 0 : slopes_->panels() * kernels_.panel_width; }
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
    // Repeats the slopes of the channels for each pixel of a row, (width, channels).
    void write_slopes(float* slopes) const;

    const Parameters* const slopes_;
    const int64_t row_;  // numbers of a row of the input
};

}  // namespace convscope
