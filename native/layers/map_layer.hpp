// What the layers of a plan have in common: from one map to the next and back. A vector is a map of one pixel.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "map.hpp"
#include "workspace.hpp"

namespace convscope {

constexpr int64_t block_rows = 64;  // of weights: their gradient, 8 KB, stays in the first cache until it is used

// The cells of a map that a layer reads or writes, by rows, columns and channels from the first, and how far into the
// memory of an image it goes for them: `end` is the place behind the last number, which may be one of the frame. Kernels
// load whole vectors and so may read up to `slack` numbers more, which change no result.
struct Cells {
    Shape shape = {0, 0, 0};
    int64_t end = 0;
    bool plain = false;  // whether they must lie one behind another, without a frame

    // Where `layout` has them.
    static Cells in(const Layout& layout, const Shape& shape) {
        return {shape, layout.at(shape.height - 1, shape.width - 1) + shape.channels};
    }
    static Cells plainly(const Shape& shape) { return {shape, shape.size(), true}; }
    // A vector of so many numbers, or a map that lies plain.
    static Cells vector(int64_t count) { return plainly({1, 1, count}); }
};

// All that a layer may touch of its maps. Plan checks once that the layouts cover it, and that the layer writes every
// cell that a later layer may read.
struct Extents {
    Cells reads, writes;                    // values of map `index` and of map `index + 1`
    Cells reads_gradient, writes_gradient;  // gradients by map `index + 1` and by map `index`
    // Of a layer that reads a second, earlier map.
    std::size_t other = 0;
    Cells reads_other = {}, writes_other_gradient = {};
};

// The sums of a layer as they come from the channels that it reads.
//
// Before its activation a convolution or a dense layer is a sum over the channels of its input. Where a few of them become
// constants, their parts are taken off the sums of the whole input and those of the constants are put on: additions in
// place of products. Ablations ask many such questions about one input. An image has size() sums.
class ChannelSums {
   public:
    virtual ~ChannelSums() = default;

    virtual int64_t channels() const = 0;
    virtual int64_t size() const = 0;
    // Writes the sums of the whole input, with the bias, of images [begin, end) of the slice, `sums` (end - begin, size()).
    virtual void whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const = 0;
    // Writes what a channel adds to them.
    virtual void part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const = 0;
    // Writes what the channel adds to the sums of any image, (size()), where it is one everywhere.
    virtual void part_of_one(int64_t channel, float* sums) const = 0;
    // Makes an image's output of its sums.
    virtual void finish(Workspace& workspace, int64_t image, const float* sums) const = 0;
};

// Where a layer stands in a plan: it reads map `map`, which lies as `input`, and writes the next one.
struct StepContext {
    const Layer& layer;
    std::size_t map;
    const Map &input, &output;
    const Kernels& kernels;
    bool wants_input_gradient;  // whether a layer before this one has weights, or the image's gradient is wanted
};

class MapLayer {
   public:
    explicit MapLayer(const StepContext& context);
    virtual ~MapLayer() = default;

    virtual Extents extents() const = 0;

    // Computes images [begin, end) of the slice.
    virtual void forward(Workspace& workspace, int64_t begin, int64_t end) const {
        for (int64_t image = begin; image < end; ++image) forward_image(workspace, image);
    }
    // From the gradient by map index + 1 to that by map index (where somebody needs it), adding to `gradient`, which is
    // this layer's part of a shard's sums; in a plan for gradients by layers it is null, and none by weights are computed.
    virtual void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
        for (int64_t image = begin; image < end; ++image) backward_image(workspace, image, gradient);
    }

    // Null where the output is no such sum, or not one of float32 numbers.
    virtual std::unique_ptr<ChannelSums> channel_sums() const { return nullptr; }

    // How many images it is best given at once, a power of two: a network's layers go by the largest of these.
    virtual int64_t group() const { return 1; }
    virtual int64_t winners_size() const { return 0; }
    virtual int64_t order_size() const { return 0; }
    virtual int64_t scratch_size() const { return 0; }
    virtual int64_t forward_scratch_size() const { return 0; }
    virtual int64_t bfloat16_scratch_size() const { return 0; }
    virtual int64_t gradient_size() const { return 0; }
    // Writes rows [begin, end), at most block_rows and a bias, of a panel of the gradient by weights over the first `images` of the batch to `total`,
    // (end - begin, panel_width): from the shards' sums, where this layer's part begins at `offset`, added in their order.
    virtual void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                         float* total) const;

   protected:
    // Writes the gradient by the input of an image from plain rows of numbers, `row` from one to the next.
    void write_input_gradient(Workspace& workspace, int64_t image, const float* numbers, int64_t row) const;

    // A layer that takes one image after another overrides these instead.
    virtual void forward_image(Workspace&, int64_t) const {}
    virtual void backward_image(Workspace&, int64_t, float*) const {}

    const Layer layer_;
    const std::size_t map_;
    const Map input_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

// The layers that keep their sums as Parameters do: the shards' numbers [first, first + count), added in their order.
void add_shards(const std::vector<Buffer<float>>& shards, int64_t first, int64_t count, const Kernels& kernels, float* total);

}  // namespace convscope
