// The sums of convolutions and dense layers, channel by channel: see `ChannelSums`.
#pragma once

#include "convolution.hpp"
#include "map_layer.hpp"
#include "parameters.hpp"

namespace convscope {

class ConvolutionSums final : public ChannelSums {
   public:
    // `pooling` is the layer that the convolution is fused with, or null. It reads map `map`, which lies as `input`, and
    // writes the next one.
    ConvolutionSums(const Layer& convolution, const Layer* pooling, std::size_t map, const Layout& input,
                    const Layout& output, const Parameters& parameters, const Kernels& kernels);

    int64_t channels() const override { return layer_.input.channels; }
    int64_t size() const override { return round_up(layer_.output.size(), 16); }
    void whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const override;
    void part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const override;
    void part_of_one(int64_t channel, float* sums) const override;
    void finish(Workspace& workspace, int64_t image, const float* sums) const override;

   private:
    // Products by the whole kernel, and by its rows of one channel.
    Product product() const;
    Product product_of(int64_t channel) const;
    // Where the sums begin that a channel is part of; those of other groups become zero.
    float* sums_of(int64_t channel, float* sums) const;

    const Layer layer_;
    const std::unique_ptr<const Layer> pooling_;
    const std::size_t map_;
    const Layout input_, output_;
    const Parameters& parameters_;
    const Kernels& kernels_;
    const Layout ones_;  // of a map of one channel
    const KernelWalk walk_;
    const std::vector<int64_t> reads_, ones_reads_, writes_;
    const std::vector<int64_t> cells_;  // where the pixels of the output map lie
};

class DenseSums final : public ChannelSums {
   public:
    // `input` is the shape of map `map`, a vector or a map that lies as one.
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
    const std::vector<int64_t> writes_;  // by image
};

}  // namespace convscope
