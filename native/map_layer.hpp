// What the layers of a plan have in common: from one map to the next and back. A vector is a map of one pixel.
#pragma once

#include <algorithm>
#include <vector>

#include "map.hpp"
#include "workspace.hpp"

namespace convscope {

constexpr int64_t block_rows = 64;  // of weights: their gradient, 8 KB, stays in the first cache until it is used

// Layer `index` of a plan reads map `index` and writes map `index + 1`.
class MapLayer {
   public:
    virtual ~MapLayer() = default;

    // Computes images [begin, end) of the slice.
    virtual void forward(Workspace& workspace, int64_t begin, int64_t end) const {
        for (int64_t image = begin; image < end; ++image) forward_image(workspace, image);
    }
    // From the gradient by map index + 1 to that by map index (where somebody needs it), adding to `gradient`, which is
    // this layer's part of a shard's sums; in a plan for gradients by layers it is null, and none by weights are computed.
    virtual void backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
        for (int64_t image = begin; image < end; ++image) backward_image(workspace, image, gradient);
    }

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
    // A layer that takes one image after another overrides these instead.
    virtual void forward_image(Workspace&, int64_t) const {}
    virtual void backward_image(Workspace&, int64_t, float*) const {}
};

inline void MapLayer::collect(const Batch&, int64_t, int64_t, int64_t, int64_t, int64_t, float*) const {}

// The layers that keep their sums as Parameters do: the shards' numbers [first, first + count), added in their order.
inline void add_shards(const std::vector<Buffer<float>>& shards, int64_t first, int64_t count, const Kernels& kernels,
                       float* total) {
    std::copy(shards[0].data() + first, shards[0].data() + first + count, total);
    for (std::size_t s = 1; s < shards.size(); ++s) kernels.add(total, shards[s].data() + first, count);
}

}  // namespace convscope
