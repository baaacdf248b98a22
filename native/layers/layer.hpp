// The kinds of layers by name, and a layer as the engine is told of it: sizes only, checked by the Python side or the page.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fields.hpp"
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
    branch,
    concatenation,
    soft_voting,
    zero_padding,
    activation,
    prelu,
};

// As an architecture has them in Python, in files and in the page.
constexpr Named<Kind> kind_names[] = {
    {"Conv2D", Kind::convolution},
    {"DepthwiseConv2D", Kind::depthwise},
    {"MaxPooling2D", Kind::max_pooling},
    {"AveragePooling2D", Kind::average_pooling},
    {"GlobalMaxPooling2D", Kind::max_pooling},  // a pooling whose window is the map
    {"GlobalAveragePooling2D", Kind::average_pooling},
    {"Flatten", Kind::flatten},
    {"ZeroPadding2D", Kind::zero_padding},
    {"Dropout", Kind::dropout},
    {"BatchNormalization", Kind::normalization},
    {"Activation", Kind::activation},
    {"PReLU", Kind::prelu},
    {"Add", Kind::addition},
    {"Branch", Kind::branch},
    {"Concatenate", Kind::concatenation},
    {"SoftVoting", Kind::soft_voting},
    {"Dense", Kind::dense},
};
constexpr std::span<const Named<Kind>> names_of(Kind) { return kind_names; }

constexpr Named<Activation> activation_names[] = {
    {"linear", Activation::none},
    {"relu", Activation::relu},
    {"leaky_relu", Activation::leaky_relu},
    {"relu6", Activation::relu6},
    {"elu", Activation::elu},
    {"gelu", Activation::gelu},
    {"silu", Activation::silu},
    {"hard_silu", Activation::hard_silu},
    {"tanh", Activation::tanh},
    {"sigmoid", Activation::sigmoid},
    {"softmax", Activation::none},  // only of the last layer; the engine returns the logits before it
};
constexpr std::span<const Named<Activation>> names_of(Activation) { return activation_names; }

struct Layer {
    Kind kind = Kind::flatten;
    Shape input, output;  // vectors are 1 x 1 maps
    std::array<int64_t, 2> window = {1, 1}, stride = {1, 1};
    std::array<int64_t, 2> padding = {0, 0};  // zeros before the first row and column
    std::array<int64_t, 2> dilation = {1, 1};  // from one row or column of a kernel to the next
    int64_t groups = 1;                        // of a convolution, which cut channels and filters into equal parts
    // Relu is computed within a layer, by `relu`, and every other activation in a step after it. An activation layer has none of
    // its own: `activation` is what it computes. `Network` sets `relu` where `activation` says so.
    bool relu = false;
    Activation activation = Activation::none;
    float slope = 0.2f;                        // of leaky relu below zero
    int64_t dropped = 0;  // by dropout, of 2^24 numbers
    bool has_bias = true;
#if defined(CONVSCOPE_NO_BFLOAT16)
    static constexpr bool bfloat16 = false;
#else
    bool bfloat16 = false;  // whether products may multiply bfloat16 numbers
#endif
    double momentum = 0.99, epsilon = 1e-3;  // of batch normalisation: the share of the old statistics kept per step; added to the variance
    int64_t earlier = -1;              // where `reads_earlier`: the layer whose output it reads, -1 of the image

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("kind", &Layer::kind);
        visit("input", &Layer::input);
        visit("output", &Layer::output);
        visit("window", &Layer::window);
        visit("strides", &Layer::stride);
        visit("padding", &Layer::padding);
        visit("dilation_rate", &Layer::dilation);
        visit("groups", &Layer::groups);
        visit("activation", &Layer::activation);
        visit("negative_slope", &Layer::slope);
        visit("dropped", &Layer::dropped);
        visit("use_bias", &Layer::has_bias);
        visit("momentum", &Layer::momentum);
        visit("epsilon", &Layer::epsilon);
        visit("earlier", &Layer::earlier);
#if !defined(CONVSCOPE_NO_BFLOAT16)
        visit("bfloat16", &Layer::bfloat16);
#endif
    }

    bool reads_earlier() const {
        return kind == Kind::addition || kind == Kind::branch || kind == Kind::concatenation;
    }
    // How many rows or columns a window reaches over.
    int64_t reach(std::size_t axis) const { return (window[axis] - 1) * dilation[axis] + 1; }
    // Whether a kernel reads all channels of pixels that lie side by side, as the fast ways of a convolution do.
    bool has_plain_kernel() const { return dilation[0] == 1 && dilation[1] == 1 && groups == 1; }
    bool has_weights() const { return kind == Kind::convolution || kind == Kind::dense || is_by_channel(); }
    // Whether its weights are for each channel by itself.
    bool is_by_channel() const {
        return kind == Kind::depthwise || kind == Kind::normalization || kind == Kind::prelu;
    }
};

struct Input {
    Shape shape;
    float scale = 1, offset = 0;  // what the network reads is byte * scale + offset

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("shape", &Input::shape);
        visit("scale", &Input::scale);
        visit("offset", &Input::offset);
    }
};

}  // namespace convscope
