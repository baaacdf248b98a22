// A convolution that moves by one place and whose products multiply bfloat16 numbers: what `Convolution` computes, from
// copies of its maps rounded to bfloat16.
//
// The places that a map's frame has between its rows are computed too where that makes fewer tiles, and then left out.
#pragma once

#include "convolution.hpp"

namespace convscope {

class Bfloat16Convolution final : public Convolution {
   public:
    // Whether `layer` may use it and gains by it. Where a row of the kernel reads fewer numbers than half a step, most of what
    // a tile multiplies would be zeros.
    static bool fits(const Layer& layer) {
        const bool by_one = layer.stride[0] == 1 && layer.stride[1] == 1;
        return layer.bfloat16 && by_one && layer.has_plain_kernel() &&
               2 * layer.window[1] * layer.input.channels >= bfloat16_step;
    }

    Bfloat16Convolution(const StepContext& context, Parameters& parameters);

    int64_t group() const override { return group_; }
    std::unique_ptr<ChannelSums> channel_sums() const override { return nullptr; }
    int64_t bfloat16_scratch_size() const override;
    void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const override;
    void input_gradient(Workspace& workspace, int64_t image, const float* output_gradient) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;

    // Of images [begin, end) together, whose places are one sum.
    void kernel_gradient_of(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const;

    // The places of a map as the rows of a product: from (0, 0) on, a run for each row of the map, or one run over the whole
    // frame in which it is read, whatever makes fewer tiles. `offsets` are those of the map's pixels, row by row.
    struct Runs {
        int64_t runs = 1, rows = 0;
        std::vector<int64_t> offsets;  // (runs, rows), below zero between the map's rows
    };
    static Runs make_runs(const Shape& map, int64_t frame_width, const std::vector<int64_t>& offsets);

    int64_t group_ = 1;
    Runs writes_by_runs_, back_writes_by_runs_, back_masks_by_runs_;
    std::vector<int64_t> segments_, back_segments_;  // where each row of the kernel reads, from where its corner stands
    int64_t channel_size_ = 0;           // of a channel of the input in its frame, as `kernel_gradient` reads it
    std::vector<int64_t> frame_offsets_;  // of the input's frame
};

}  // namespace convscope
