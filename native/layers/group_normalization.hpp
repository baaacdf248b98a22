// Normalisation of the numbers of an image by their own mean and variance: y = gamma h + beta, h = (x - mean) inverse,
// inverse = 1 / sqrt(variance + epsilon). The numbers that share a mean are a set, of `set_pixels_` pixels with
// `set_channels_` channels each:
//
//     group normalisation    a set for each group of channels, of all pixels
//     layer normalisation    a set for each pixel, of all channels
//
// The backward pass, with g = gamma dy and averages over the set:
//     dx = inverse (g - average g - h average g h)    dgamma = sum of dy h    dbeta = sum of dy
// Source: Wu and He 2018.
#pragma once

#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class GroupNormalization final : public MapLayer {
   public:
    GroupNormalization(const StepContext& context, const Parameters& parameters);

    Extents extents() const override;
    int64_t forward_scratch_size() const override { return pixels_ * channels_; }
    int64_t scratch_size() const override { return pixels_ * channels_; }
    int64_t gradient_size() const override { return 2 * row_; }  // dgamma of each channel, then dbeta
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    struct Moments { double mean, inverse; };

    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;
    Moments measure(const float* x, int64_t set) const;
    // Calls visit(index of the number, channel) for each number of a set.
    template <class Visit>
    void for_set(int64_t set, Visit visit) const;
    float gamma(int64_t c) const { return parameters_.panel(c / kernels_.panel_width)[c % kernels_.panel_width]; }
    float beta(int64_t c) const { return parameters_.bias(c / kernels_.panel_width)[c % kernels_.panel_width]; }

    const Parameters& parameters_;
    const int64_t channels_, row_, pixels_;  // row_ is channels_ rounded up to a panel
    const int64_t set_pixels_, set_channels_, sets_;
};

}  // namespace convscope
