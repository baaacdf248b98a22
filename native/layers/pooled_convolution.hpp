// A convolution fused with the max pooling of windows of four pixels that alone reads its output. A cell is a pooling
// window, of 2 x 2 pixels or of 1 x 4 or 4 x 1; it is live if its pixels read a number that is not zero.
//
// The forward pass computes the four pixels of each cell and stores the largest and its index, the winner; relu is
// applied last, since it commutes with max. The backward pass follows the winners, since only they have a gradient.
// The forward pass and each of the two gradients have several ways; the constructor chooses by the sizes:
//
//     forward           Forward: a product with four sums for each cell, or for the live ones; or Winograd's algorithm
//     kernel gradient   KernelGradient: vectors of filters, summed in the layout of Parameters; or vectors along kernel
//                       rows (`runs`), summed by filter
//     input gradient    kernels.winners_input, from the winners (3 x 3 or 5 x 5 kernels, stride 1, pooled 2 x 2); or
//                       that of `unpooled_`, after the winners' gradients have been written among zeros
#pragma once

#include <memory>

#include "convolution.hpp"

namespace convscope {

class PooledConvolution final : public WeightedLayer {
   public:
    static bool fits(const Layer& convolution, const Layer& pooling);

    // The context's layer is the convolution.
    PooledConvolution(const StepContext& context, const Layer& pooling, Parameters& parameters);

    Extents extents() const override;
    std::unique_ptr<ChannelSums> channel_sums() const override;
    // The order of the cells, then the number of live ones.
    int64_t order_size() const override { return forward_ == Forward::live_cells ? cells() + 1 : 0; }
    int64_t winners_size() const override { return cells() * layer_.output.channels; }
    int64_t scratch_size() const override;
    int64_t forward_scratch_size() const override;
    int64_t gradient_size() const override;
    void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                 float* total) const override;

   private:
    void forward_image(Workspace& workspace, int64_t image) const override;
    void backward_image(Workspace& workspace, int64_t image, float* gradient) const override;

    // The order in which cells are computed: first the `live` ones, which read a number that is not zero.
    struct Order {
        const int32_t* cells;
        int64_t live;
    };

    void list_cells(const Layout& spread);  // called once: fills all_cells_, window_ and the offsets
    CellSearch make_search() const;
    int64_t cells() const { return static_cast<int64_t>(cell_offsets_.size()); }
    void order_cells(Workspace& workspace, int64_t image) const;
    Order order_of(const Workspace& workspace, int64_t image) const;
    void forward_directly(Workspace& workspace, int64_t image) const;
    void forward_by_winograd(Workspace& workspace, int64_t image) const;
    int64_t run() const { return layer_.window[1] * layer_.input.channels; }
    int64_t run_stride() const { return round_up(run(), kernels_.vector_width); }  // from one to the next
    // The input gradient as a product over all pixels, for kernel sizes that `winners_input` does not support.
    void spread_and_multiply(Workspace& workspace, int64_t image) const;

    const Layer pooling_;
    // How the products are computed.
    enum class Forward {
        direct,
        live_cells,  // direct, but skips cells that read only zeros: for an image, whose background is often black
        winograd,
    };
    Forward choose_forward() const;
    // Whether a vector of the kernel gradient spans filters or a run, contiguous numbers of a kernel row.
    enum class KernelGradient { filters, runs };
    KernelGradient choose_kernel_gradient() const;

    const Forward forward_;
    const KernelGradient kernel_gradient_;
    const CellSearch search_;
    std::vector<int32_t> all_cells_;
    std::unique_ptr<Convolution> unpooled_;  // if the input gradient is a product over all pixels
    std::vector<int64_t> cell_offsets_, writes_;  // input and output offset of each cell
    std::vector<int64_t> spread_offsets_;  // offset of each cell's four pixels in the output gradient of unpooled_
    int64_t window_[4] = {};  // offsets of a cell's pixels from its first: 0, channels, row, row + channels for 2 x 2
};

}  // namespace convscope
