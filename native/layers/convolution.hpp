// A convolution with bias and relu: y[p, f] = act(bias[f] + sum over (r, s, c) of x[p + (r, s), c] kernel[r, s, c, f]).
//
// It is a matrix product (`Product` of kernels.hpp): rows are output pixels p, columns filters f, in panels of two
// registers (see Parameters), and the sum runs over the weights (r, s, c) of a filter. The left matrix is not stored:
// its row p is read from the map, from the corner of p's window on. So most members are offsets. In a padded map of 2
// rows of 4 columns with one channel, a 2 x 2 kernel has the corners 0 1 2 (`reads_`), and its weights read at 0 1 4 5
// from there (`kernel_reads_`). The gradients are products too: that of the input with the transposed kernel, and
// that of the kernel, whose sum runs over the output pixels.
#pragma once

#include "weighted_layer.hpp"

namespace convscope {

// How a product reads the window of a kernel: in segments of evenly spaced numbers. A segment is a kernel row; if dilation or
// groups leave gaps in it, a segment is the channels of one tap (a kernel position). With columns c0 c1 c2 of two channels:
//
//     plain kernel       |c0 c0 c1 c1 c2 c2|            one segment a row, length 6
//     dilation 2         |c0 c0| .  . |c1 c1| .  . |c2 c2|   three segments, length 2, with jumps between them
struct KernelWalk {
    KernelWalk(const Layer& layer, const Layout& map);

    int64_t row;               // offset from one kernel row to the next
    int64_t row_segments = 1;  // in a kernel row
    int64_t length, step = 1;  // numbers of a segment, and the distance between them
    std::vector<int64_t> jumps;  // offset from each segment to the next; empty if segments are rows

    // Sets how `product` reads `rows` kernel rows, from the first of its A and B. A row of B has `width` numbers.
    void set(Product& product, int64_t rows, int64_t width) const;
};

class Convolution : public WeightedLayer {
   public:
    Convolution(const StepContext& context, Parameters& parameters);

    // The layout of the output gradient that `input_gradient` reads: with zeros around it, and between its pixels if the
    // stride is not 1, so that a correlation with the transposed kernel gives the input gradient.
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

    // Input pixels [begin, end), whole rows, for which rows [first_row, end_row) of the transposed kernel read the
    // output gradient. The other kernel rows would read only padding.
    struct Band { int64_t begin, end, first_row, end_row; };

    // True if the input has so few channels that its gradient would leave most of a register empty. It is then computed
    // the other way round: for each output pixel the products of dy with all weights, which are added to the window's pixels.
    static bool has_few_channels(const Layer& layer, const Kernels& kernels);
    void input_gradient_of_few_channels(Workspace& workspace, int64_t image, const float* output_gradient) const;
    // dkernel[(r, s, c), f] = sum over p of x[p + (r, s), c] dy[p, f]
    void kernel_gradient(const float* input, const float* output_gradient, float* gradient) const;

    const bool has_few_channels_;
    const KernelWalk walk_;
    std::vector<int64_t> reads_, writes_;  // forward: offsets by output pixel
    std::vector<Band> bands_;              // this and the next two: input_gradient, offsets by input pixel
    std::unique_ptr<const KernelWalk> back_walk_;
    std::vector<int64_t> back_reads_, back_writes_, back_masks_;
    std::vector<int64_t> kernel_reads_, kernel_writes_;     // kernel_gradient: offsets by weight (r, s, c)
    std::vector<int64_t> gradient_offsets_, product_rows_;  // input_gradient_of_few_channels: offsets by output pixel
};

// Offsets in `input` of the window's corner, y * stride * row + x * stride * channels, for each output pixel (y, x).
std::vector<int64_t> kernel_corners(const Layer& layer, const Layout& input);
// Multiplies block by block of rows: row i reads at offset reads[i] of `a` and writes at writes[i] of `c`.
void multiply_at_offsets(const Kernels& kernels, Product product, const std::vector<int64_t>& reads,
                     const std::vector<int64_t>& writes);
// Offset of each weight's pixel from the window's corner: r * dilation * row + s * dilation * channels + c, in order (r, s, c).
std::vector<int64_t> kernel_offsets(const Layer& layer, const Layout& input);

}  // namespace convscope
