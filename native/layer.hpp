// The layers as the engine is told of them: sizes only, checked by the Python side.
#pragma once

#include <cstdint>

#include "kernels/kernels.hpp"

namespace convscope {

struct Shape {
    int64_t height = 1, width = 1, channels = 1;
    int64_t size() const { return height * width * channels; }
};

enum class Kind { convolution, max_pooling, flatten, dense, average_pooling, dropout, depthwise };

struct Layer {
    Kind kind = Kind::flatten;
    Shape input, output;  // vectors are 1 x 1 maps
    int64_t window[2] = {1, 1}, stride[2] = {1, 1};
    int64_t padding[2] = {0, 0};  // zeros before the first row and column
    bool relu = false;
    Activation activation = Activation::none;  // another than relu
    int64_t dropped = 0;  // by dropout, of 2^24 numbers

    bool has_weights() const { return kind == Kind::convolution || kind == Kind::dense || kind == Kind::depthwise; }
};

struct Input {
    Shape shape;
    float scale = 1, offset = 0;  // what the network reads is byte * scale + offset
};

}  // namespace convscope
