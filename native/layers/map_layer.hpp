// The base class of the layers of a plan. Layer i reads map i and writes map i + 1; a vector is a map of one pixel.
//
// Network calls a layer from several threads at once, each with the Workspace of another slice, up to 8 images of the
// batch. So a layer never changes: what it computes lies in the workspace, in arrays of the sizes that it asks for
// (scratch_size and others below). The calls for the images of a slice, in groups of group() = 4, and for the batch:
//
//     forward(.., 0, 4)   forward(.., 4, 8)     between the two, later layers take the first group
//     backward(.., 0, 4, gradient) and so on    `gradient`: sums over a shard, which are a few slices of one thread
//     collect(batch, ..)                        when all slices are done: the sum over all shards
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "map.hpp"
#include "workspace.hpp"

namespace convscope {

// Rows of a panel of weights (see parameters.hpp) updated at once: their gradient, 64 x 32 floats, stays in cache.
constexpr int64_t block_rows = 64;

// The part of a map that a layer reads or writes: `shape` rows, columns and channels from the first, within `end`
// numbers of an image's memory, padding included. Kernels may read up to `slack` more, without an effect (buffer.hpp).
struct Cells {
    Shape shape = {0, 0, 0};
    int64_t end = 0;
    bool plain = false;  // whether the map must be contiguous, without padding

    // Returns the first cells of a map with this layout.
    static Cells in(const Layout& layout, const Shape& shape) {
        return {shape, layout.at(shape.height - 1, shape.width - 1) + shape.channels};
    }
    static Cells plainly(const Shape& shape) { return {shape, shape.size(), true}; }
    // Returns a vector of `count` numbers, which may also be a contiguous map of that size.
    static Cells vector(int64_t count) { return plainly({1, 1, count}); }
};

// Everything that a layer reads and writes. Plan checks once that the layouts contain it, and that the layer writes every
// number that a later layer may read.
struct Extents {
    Cells reads, writes;                    // values of map `index` and of map `index + 1`, for step `index` of the plan
    Cells reads_gradient, writes_gradient;  // gradients with respect to map `index + 1` and map `index`
    // Only of a layer that also reads an earlier map, number `earlier`.
    std::size_t earlier = 0;
    Cells reads_earlier = {}, writes_earlier_gradient = {};
};

// The pre-activations of a convolution or a dense layer as a sum over input channels: sum = bias + Σ_c part(c).
//
// An ablation that sets channel c to a constant v needs no product: sum' = sum - part(c) + v part_of_one(c), where
// part_of_one(c) is the part of a channel of ones. So many ablations of one input are additions. An image has size() sums.
class ChannelSums {
   public:
    virtual ~ChannelSums() = default;

    virtual int64_t channels() const = 0;
    virtual int64_t size() const = 0;
    // Writes the sums of images [begin, end) of the slice, `sums` (end - begin, size()).
    virtual void whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const = 0;
    // Writes the part of a channel, in the same shape.
    virtual void part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const = 0;
    // Writes the part of a channel of ones, (size()), the same for all images.
    virtual void part_of_one(int64_t channel, float* sums) const = 0;
    // Computes an image's output from its sums.
    virtual void finish(Workspace& workspace, int64_t image, const float* sums) const = 0;
};

// The position of a layer in a plan: it reads map `map`, of layout `input`, and writes the next one.
struct StepContext {
    const Layer& layer;
    std::size_t map;
    const Map &input, &output;
    const Kernels& kernels;
    bool wants_input_gradient;  // if a layer before this one has weights, or the image's gradient is wanted
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
    // Computes the gradient with respect to map `map_`, if it is wanted, from that with respect to the next map, and
    // adds the weights' gradient to `gradient`, this layer's part of a shard's sums, unless it is null.
    virtual void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
        for (int64_t image = begin; image < end; ++image) backward_image(workspace, image, gradient);
    }

    // Returns null if the output is not a sum over input channels in float32.
    virtual std::unique_ptr<ChannelSums> channel_sums() const { return nullptr; }

    // The best number of images at once, a power of two. A plan uses the largest of its layers.
    virtual int64_t group() const { return 1; }
    // Numbers of the arrays that the layer needs: winners and order for each image (see Workspace),
    virtual int64_t winners_size() const { return 0; }
    virtual int64_t order_size() const { return 0; }
    virtual int64_t scratch_size() const { return 0; }  // for each thread, shared by all layers, in the backward pass,
    virtual int64_t forward_scratch_size() const { return 0; }   // in the forward pass,
    virtual int64_t bfloat16_scratch_size() const { return 0; }  // and in both,
    virtual int64_t gradient_size() const { return 0; }  // and for each shard, the sums of the weights' gradients.
    // Writes rows [begin, end), at most block_rows and a bias, of a panel of the weight gradient to `total`,
    // (end - begin, panel_width): the sum over shards, in their order, of the sums that begin at `offset`.
    virtual void collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin, int64_t end,
                         float* total) const;

   protected:
    // Writes the input gradient of an image, in its layout and masked by the input's relu. Row y is at numbers + y row.
    void write_input_gradient(Workspace& workspace, int64_t image, const float* numbers, int64_t row) const;

    // A layer that computes image by image overrides these instead.
    virtual void forward_image(Workspace&, int64_t) const {}
    virtual void backward_image(Workspace&, int64_t, float*) const {}

    const Layer layer_;
    const std::size_t map_;
    const Map input_, output_;
    const Kernels& kernels_;
    const bool wants_input_gradient_;
};

// Writes the sum over shards, in their order, of their numbers [first, first + count).
void add_shards(const std::vector<Buffer<float>>& shards, int64_t first, int64_t count, const Kernels& kernels, float* total);

}  // namespace convscope
