// Maps between layers, and how they lie in memory.
#pragma once

#include <array>
#include <vector>

#include "kernels/kernels.hpp"
#include "layers/layer.hpp"

namespace convscope {

// 0, step, 2 step, ...
inline std::vector<int64_t> multiples(int64_t step, int64_t count) {
    std::vector<int64_t> numbers(static_cast<std::size_t>(count));
    for (int64_t i = 0; i < count; ++i) numbers[static_cast<std::size_t>(i)] = i * step;
    return numbers;
}

template <std::size_t count>
std::array<int64_t, count> multiples(int64_t step) {
    std::array<int64_t, count> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<int64_t>(i) * step;
    return numbers;
}

// How a map (rows, columns, channels) lies in memory: within a frame of zeros, and where a stride asks for it with zeros
// between its pixels. The frames are what makes padding free: nobody ever writes them.
struct Layout {
    Shape shape;
    int64_t frame_height = 0, frame_width = 0;
    int64_t top = 0, left = 0;
    int64_t step[2] = {1, 1};

    static Layout plain(Shape shape) { return {shape, shape.height, shape.width}; }
    bool is_plain() const { return size() == shape.size(); }
    int64_t row() const { return frame_width * shape.channels; }
    int64_t size() const { return frame_height * row(); }
    int64_t at(int64_t y, int64_t x) const {
        return (top + y * step[0]) * row() + (left + x * step[1]) * shape.channels;
    }
    // The offset of each pixel, row by row.
    std::vector<int64_t> offsets() const {
        std::vector<int64_t> offsets;
        offsets.reserve(static_cast<std::size_t>(shape.height * shape.width));
        for (int64_t y = 0; y < shape.height; ++y) {
            for (int64_t x = 0; x < shape.width; ++x) offsets.push_back(at(y, x));
        }
        return offsets;
    }
};

// A map between two layers: how its values and their gradients lie, and whether the values come out of a relu. A gradient
// is always written with relu's derivative applied.
struct Map {
    Layout value, gradient;
    bool relu = false;
    bool gradient_crosses = false;  // is read in an earlier stage of the plan than it is written in
    bool read_by_vectors = false;   // by a step that computes a slice's images once all have come so far
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

}  // namespace convscope
