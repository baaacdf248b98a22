// What the layers that work on maps have in common: one image at a time, from one map to the next and back.
#pragma once

#include <algorithm>
#include <vector>

#include "buffer.hpp"
#include "kernels/kernels.hpp"
#include "layer.hpp"

namespace convscope {

// How a map (rows, columns, channels) lies in memory: within a frame of zeros, and where a stride asks for it with zeros
// between its pixels. The frames are what makes padding free: nobody ever writes them.
struct Layout {
    Shape shape;
    int64_t frame_height = 0, frame_width = 0;
    int64_t top = 0, left = 0;
    int64_t step[2] = {1, 1};

    static Layout plain(Shape shape) { return {shape, shape.height, shape.width}; }
    int64_t row() const { return frame_width * shape.channels; }
    int64_t size() const { return frame_height * row(); }
    int64_t at(int64_t y, int64_t x) const {
        return (top + y * step[0]) * row() + (left + x * step[1]) * shape.channels;
    }
};

// A map between two layers: how its values and their gradients lie, and whether the values come out of a relu. A gradient
// is always written with relu's derivative applied.
struct Map {
    Layout value, gradient;
    bool relu = false;
};

// Writes row `y` of the gradient by `map`, a plain row of all its columns and channels, where it belongs: with the
// derivative of the map's relu, whose values are `values`.
inline void write_gradient_row(const Kernels& kernels, const float* row, const Map& map, const float* values, int64_t y,
                               float* gradient) {
    const Shape shape = map.value.shape;
    const float* mask = map.relu ? values + map.value.at(y, 0) : nullptr;
    if (map.gradient.step[1] == 1) {
        kernels.copy_where_positive(gradient + map.gradient.at(y, 0), row, mask, shape.width * shape.channels);
        return;
    }
    for (int64_t x = 0; x < shape.width; ++x) {
        const int64_t pixel = x * shape.channels;
        kernels.copy_where_positive(gradient + map.gradient.at(y, x), row + pixel, mask ? mask + pixel : nullptr,
                                    shape.channels);
    }
}

// Whether numbers are dropped, by which key, and the place in the epoch of the first image.
struct Chance {
    bool drops = false;
    uint64_t key = 0;
    int64_t first = 0;
};

// Arrays of one thread: values of the images of a slice, gradients of one image.
struct Workspace {
    struct Values {
        float* first = nullptr;
        int64_t stride = 0;  // from image to image
        Buffer<float> buffer;
        float* image(int64_t i) const { return first + i * stride; }
    };
    std::vector<Values> values;                // by map
    std::vector<Buffer<float>> gradients;      // by map
    std::vector<Buffer<int32_t>> winners;      // by layer: images of the slice x winners_size
    std::vector<Buffer<float>> scratch;        // by layer, of the way back
    std::vector<Buffer<float>> forward_scratch;  // by layer
    Buffer<uint8_t> image;                     // one that an augmentation changed
    Buffer<int64_t> offsets;                   // lists of winners
    Buffer<float> list_values;
    Buffer<int32_t> list;
    Chance chance;  // of the slice
};

// Layer `index` reads map `index` and writes map `index + 1`.
class MapLayer {
   public:
    virtual ~MapLayer() = default;
    virtual void forward(Workspace& workspace, int64_t image) const = 0;
    // From the gradient by map index + 1 to that by map index (where somebody needs it), adding to `gradient`, which is
    // this layer's part of a shard's sums.
    virtual void backward(Workspace& workspace, int64_t image, float* gradient) const = 0;

    virtual int64_t winners_size() const { return 0; }
    virtual int64_t scratch_size() const { return 0; }
    virtual int64_t forward_scratch_size() const { return 0; }
    virtual int64_t gradient_size() const { return 0; }
    // Writes rows [begin, end) of a panel of the shards' sums, added in their order, to `total`, (end - begin,
    // panel_width). This layer's part of each shard begins at `offset`.
    virtual void collect(const std::vector<Buffer<float>>& shards, int64_t offset, int64_t panel, int64_t begin,
                         int64_t end, float* total) const;
};

inline void MapLayer::collect(const std::vector<Buffer<float>>&, int64_t, int64_t, int64_t, int64_t, float*) const {}

// The layers that keep their sums as Parameters do: the shards' numbers [first, first + count), added in their order.
inline void add_shards(const std::vector<Buffer<float>>& shards, int64_t first, int64_t count, const Kernels& kernels,
                       float* total) {
    std::copy(shards[0].data() + first, shards[0].data() + first + count, total);
    for (std::size_t s = 1; s < shards.size(); ++s) kernels.add(total, shards[s].data() + first, count);
}

}  // namespace convscope
