// `ChannelSums` of convolutions and of dense layers: the output before relu as a sum with a part for each input
// channel, with which ablations replace channels (see ablation_sums.hpp). The whole sums are the layer's product with
// its bias; the part of a channel is the same product over the weights of this channel alone.
#pragma once

#include "convolution.hpp"
#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class ConvolutionSums final : public ChannelSums {
   public:
    // `pooling` is the layer that the convolution is fused with, or null. It reads map `map`, of layout `input`, and writes
    // the next map.
    ConvolutionSums(const Layer& convolution, const Layer* pooling, std::size_t map, const Layout& input,
                    const Layout& output, const Parameters& parameters, const Kernels& kernels);

    int64_t channels() const override { return layer_.input.channels; }
    int64_t size() const override { return round_up(layer_.output.size(), 16); }  // whole cache lines
    void whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const override;
    void part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const override;
    void part_of_one(int64_t channel, float* sums) const override;
    void finish(Workspace& workspace, int64_t image, const float* sums) const override;

   private:
    // The product with the whole kernel, and with its weights of one channel.
    Product product() const;
    Product product_of(int64_t channel) const;
    // Returns the sums of the group that reads `channel`, and sets those of other groups to zero.
    float* sums_of(int64_t channel, float* sums) const;

    const Layer layer_;
    const std::unique_ptr<const Layer> pooling_;
    const std::size_t map_;
    const Layout input_, output_;
    const Parameters& parameters_;
    const Kernels& kernels_;
    const Layout ones_;  // the layout of a map of ones with one channel
    const KernelWalk walk_;
    const std::vector<int64_t> reads_, ones_reads_, writes_;
    const std::vector<int64_t> cells_;  // offsets of the pixels of the output map
};

class DenseSums final : public ChannelSums {
   public:
    // `input` is the shape of map `map`: a vector, or a map without padding.
    DenseSums(bool relu, std::size_t map, const Shape& input, const Parameters& parameters, const Kernels& kernels);

    int64_t channels() const override { return input_.channels; }
    int64_t size() const override { return round_up(parameters_.filters(), kernels_.vector_width); }
    void whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const override;
    void part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const override;
    void part_of_one(int64_t channel, float* sums) const override;
    void finish(Workspace& workspace, int64_t image, const float* sums) const override;

   private:
    Product product(int64_t count, float* sums) const;
    Product product_of(int64_t channel, int64_t count, float* sums) const;

    const bool relu_;
    const std::size_t map_;
    const Shape input_;
    const Parameters& parameters_;
    const Kernels& kernels_;
    const std::vector<int64_t> writes_;  // offset of each image's sums
};

}  // namespace convscope
