// A convolution with bias and relu: y[p, f] = act(bias[f] + sum over (r, s, c) of x[p + (r, s), c] kernel[r, s, c, f]).
#pragma once

#include "weighted_layer.hpp"

namespace convscope {

// How the sum of a product runs over a kernel that stands on a map: in segments whose numbers lie side by side in the map.
// They are the kernel's rows, or its places one by one where dilation or groups leave a gap between those.
struct KernelWalk {
    KernelWalk(const Layer& layer, const Layout& map);

    int64_t row;               // from one kernel row to the next
    int64_t row_segments = 1;  // of a kernel row
    int64_t length, step = 1;
    std::vector<int64_t> jumps;  // from each segment to the next; none where they are rows

    // Rows of the kernel, from the first that the product's A and B have, whose panels hold `width` numbers a row.
    void set(Product& product, int64_t rows, int64_t width) const;
};

class Convolution : public WeightedLayer {
   public:
    Convolution(const StepContext& context, Parameters& parameters);

    // The layout in which the gradient by a convolution's output must lie for `input_gradient`: a full correlation.
    static Layout gradient_layout(const Layer& layer);
    // The layout that `forward` reads.
    static Layout input_layout(const Layer& layer);

    Extents extents() const override;
    std::unique_ptr<ChannelSums> channel_sums() const override;
    int64_t scratch_size() const override;
    // dx[p, c] = sum over (r, s, f) of dy[p - (r, s), f] kernel[r, s, c, f]
    virtual void input_gradient(Workspace& workspace, int64_t image, const float* output_gradient) const;

   protected:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    // Places [begin, end) of the input, whole rows of them, and the rows of the transposed kernel that reach the output from there.
    struct Band {
        int64_t begin, end, first_row, end_row;
    };

    // The gradient by the input, of an input with so few channels that most of a register would hold nothing: for each
    // place a number by each of the kernel's, which are then added where the kernel stands.
    static bool has_few_channels(const Layer& layer, const Kernels& kernels);
    void input_gradient_of_few_channels(Workspace& workspace, int64_t image, const float* output_gradient) const;
    // dkernel[(r, s, c), f] = sum over p of x[p + (r, s), c] dy[p, f]
    void kernel_gradient(const float* input, const float* output_gradient, float* gradient) const;

    const bool has_few_channels_;
    const KernelWalk walk_;
    std::vector<int64_t> reads_, writes_;                             // forward: where each pixel reads and writes
    std::vector<Band> bands_;                                         // input_gradient
    std::unique_ptr<const KernelWalk> back_walk_;                     // input_gradient
    std::vector<int64_t> back_reads_, back_writes_, back_masks_;      // input_gradient
    std::vector<int64_t> kernel_reads_, kernel_writes_;               // kernel_gradient
    std::vector<int64_t> gradient_offsets_, product_rows_;             // input_gradient_of_few_channels
};

// The offset in `input` of the kernel's corner for each pixel of the convolution's output: the padding is its frame's own.
std::vector<int64_t> kernel_corners(const Layer& layer, const Layout& input);
// Multiplies from the offsets `reads` of the product's `a` to the offsets `writes` of its `c`.
void multiply_at_offsets(const Kernels& kernels, Product product, const std::vector<int64_t>& reads,
                     const std::vector<int64_t>& writes);
// Where each row of a kernel matrix (kernel row, kernel column, channel) reads, from where the kernel stands.
std::vector<int64_t> kernel_offsets(const Layer& layer, const Layout& input);

}  // namespace convscope
