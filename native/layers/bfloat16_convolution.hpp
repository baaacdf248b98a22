// A convolution of stride 1 whose products multiply bfloat16 numbers: `Convolution`, but with its maps rounded to bfloat16.
// Each pass writes a rounded copy of what it multiplies to the thread's scratch, and calls multiply_bfloat16 (see
// Bfloat16Product): forward and input gradient image by image, the kernel gradient for a group of images at once.
//
// A product computes a run of consecutive pixels. Either each output row is a run, or one run covers the whole map with the
// padding between its rows, whose results are not stored. That takes fewer tiles of 16 pixels if rows are short: for 7 x 7
// pixels and padded rows of 9, seven runs of 7 take seven tiles, one run of 6 * 9 + 7 = 61 takes four.
#pragma once

#include "convolution.hpp"

namespace convscope {

class Bfloat16Convolution final : public Convolution {
   public:
    // Whether `layer` can use this class and gains by it: kernel rows of less than half a step multiply mostly zeros.
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

    // Adds the kernel gradient of images [begin, end), which is one sum over all their pixels.
    void kernel_gradient_of(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const;
    // Writes rows of B, the output gradients of `images` images, as panels (image, row); returns the size of a panel.
    int64_t pair_gradients(Workspace& workspace, int64_t first, int64_t images, int64_t first_row, int64_t rows,
                           uint16_t* panels) const;

    // The pixels of a map as rows of a product, in one of the two ways above. `offsets` are those of the pixels, row by row.
    struct Runs {
        int64_t runs = 1, rows = 0;
        std::vector<int64_t> offsets;  // (runs, rows), -1 for padding between the map's rows
    };
    static Runs make_runs(const Shape& map, int64_t frame_width, const std::vector<int64_t>& offsets);

    int64_t group_ = 1;
    Runs writes_by_runs_, back_writes_by_runs_, back_masks_by_runs_;
    std::vector<int64_t> segments_, back_segments_;  // offset of each kernel row from the corner of the kernel
    int64_t channel_size_ = 0;           // numbers of an input channel with its padding
    std::vector<int64_t> frame_offsets_;  // offsets of the input's pixels with padding
    std::vector<int64_t> gradient_pixels_;  // offsets of the output gradient's pixels, stretched to the rows of the input
};

}  // namespace convscope
