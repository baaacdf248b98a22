// Maps between layers, and how they lie in memory.
#pragma once

#include <array>
#include <vector>

#include "kernels/kernels.hpp"
#include "layers/layer.hpp"

namespace convscope {

// Returns `count` multiples of `step`: 0, step, 2 step, ...
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

// How a map (rows, columns, channels) lies in memory: in a larger frame whose other numbers are zero. So a window may
// reach into the padding without a check; no layer writes the zeros. A gradient may also have zeros between its pixels
// (step). Pixels (*) of a map of 2 x 2 in a frame of 4 x 5 with top = left = 1, and with step = {1, 2}:
//
//     . . . . .       . . . . .
//     . * * . .       . * . * .
//     . * * . .       . * . * .
//     . . . . .       . . . . .
struct Layout {
    Shape shape;
    int64_t frame_height = 0, frame_width = 0;
    int64_t top = 0, left = 0;  // position of the first pixel in the frame
    int64_t step[2] = {1, 1};   // distance of neighbouring pixels, down and to the right

    static Layout plain(Shape shape) { return {shape, shape.height, shape.width}; }
    bool is_plain() const { return size() == shape.size(); }
    int64_t row() const { return frame_width * shape.channels; }  // numbers of a row of the frame
    int64_t size() const { return frame_height * row(); }
    // The offset of pixel (y, x).
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

// A map between two layers: the layout of its values and of the gradient with respect to it. If a relu made the values,
// the layer that writes the gradient multiplies it by relu's derivative: it writes 0 where the value is not positive.
struct Map {
    Layout value, gradient;
    bool relu = false;
    // Whether the gradient is read again after its group of images: by the caller, or an earlier stage (network.hpp).
    bool keeps_gradient = false;
    bool read_by_vectors = false;   // whether a step that computes all images of a slice at once reads it
};

// Writes row `y` of the gradient with respect to `map` at its offset in `gradient`. `row` is contiguous, (columns,
// channels); `values` are the map's, whose relu masks the row.
inline void write_gradient_row(const Kernels& kernels, const float* row, const Map& map, const float* values, int64_t y,
                               float* gradient) {
    const Shape shape = map.value.shape;
    const float* mask = map.relu ? values + map.value.at(y, 0) : nullptr;
    if (map.gradient.step[1] == 1) {  // the pixels of the row are neighbours
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
