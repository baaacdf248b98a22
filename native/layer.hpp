// The layers as the engine is told of them: sizes only, checked by the Python side.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/kernels.hpp"

namespace convscope {

struct Shape {
    int64_t height = 1, width = 1, channels = 1;
    int64_t size() const { return height * width * channels; }
};

enum class Kind {
    convolution,
    max_pooling,
    flatten,
    dense,
    average_pooling,
    dropout,
    depthwise,
    normalization,
    addition,
    zero_padding,
    activation,
};

struct Layer {
    Kind kind = Kind::flatten;
    Shape input, output;  // vectors are 1 x 1 maps
    std::array<int64_t, 2> window = {1, 1}, stride = {1, 1};
    std::array<int64_t, 2> padding = {0, 0};  // zeros before the first row and column
    bool relu = false;  // never of an activation layer
    Activation activation = Activation::none;  // another than relu; of an activation layer whatever it computes
    float slope = 0.2f;                        // of leaky relu below zero
    int64_t dropped = 0;  // by dropout, of 2^24 numbers
    bool has_bias = true;
#if defined(CONVSCOPE_NO_BFLOAT16)
    static constexpr bool bfloat16 = false;
#else
    bool bfloat16 = false;  // whether products may multiply bfloat16 numbers
#endif
    double momentum = 0, epsilon = 0;  // of batch normalisation: what its moving statistics keep, and what variance gains
    std::size_t added = 0;             // by addition: the layer whose output it reads too

    bool has_weights() const {
        return kind == Kind::convolution || kind == Kind::dense || kind == Kind::depthwise || kind == Kind::normalization;
    }
};

struct Input {
    Shape shape;
    float scale = 1, offset = 0;  // what the network reads is byte * scale + offset
};

}  // namespace convscope
