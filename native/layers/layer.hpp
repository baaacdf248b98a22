// The kinds of layers by name, and the sizes of a layer, which the Python package or the page has checked.
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
    convolution, max_pooling, flatten, dense, average_pooling, dropout, depthwise, normalization, addition, branch,
    concatenation, multiplication, layer_normalization, group_normalization, soft_voting, zero_padding, activation, prelu
};

// The names in Python, in files and in the page.
constexpr Named<Kind> kind_names[] = {
    {"Conv2D", Kind::convolution},
    {"DepthwiseConv2D", Kind::depthwise},
    {"MaxPooling2D", Kind::max_pooling}, {"AveragePooling2D", Kind::average_pooling},
    {"GlobalMaxPooling2D", Kind::max_pooling},  // a pooling whose window is the map
    {"GlobalAveragePooling2D", Kind::average_pooling},
    {"Flatten", Kind::flatten}, {"ZeroPadding2D", Kind::zero_padding},
    {"Dropout", Kind::dropout}, {"BatchNormalization", Kind::normalization},
    {"LayerNormalization", Kind::layer_normalization}, {"GroupNormalization", Kind::group_normalization},
    {"Activation", Kind::activation}, {"PReLU", Kind::prelu},
    {"Add", Kind::addition}, {"Branch", Kind::branch}, {"Concatenate", Kind::concatenation},
    {"Multiply", Kind::multiplication},
    {"SoftVoting", Kind::soft_voting},
    {"Dense", Kind::dense},
};
constexpr std::span<const Named<Kind>> names_of(Kind) { return kind_names; }

constexpr Named<Activation> activation_names[] = {
    {"linear", Activation::none},
    {"relu", Activation::relu}, {"leaky_relu", Activation::leaky_relu}, {"relu6", Activation::relu6},
    {"elu", Activation::elu}, {"selu", Activation::selu}, {"gelu", Activation::gelu}, {"silu", Activation::silu},
    {"hard_silu", Activation::hard_silu}, {"tanh", Activation::tanh}, {"sigmoid", Activation::sigmoid},
    {"hard_sigmoid", Activation::hard_sigmoid},
    {"softmax", Activation::none},  // only of the last layer; the engine returns the logits before it
};
constexpr std::span<const Named<Activation>> names_of(Activation) { return activation_names; }

struct Layer {
    Kind kind = Kind::flatten;
    Shape input, output;  // vectors are 1 x 1 maps
    std::array<int64_t, 2> window = {1, 1}, stride = {1, 1};
    std::array<int64_t, 2> padding = {0, 0};   // zeros before the first row and column
    std::array<int64_t, 2> dilation = {1, 1};  // pixels from one row or column of a kernel to the next
    int64_t groups = 1;  // a convolution's equal parts of channels and filters: a filter reads the channels of its part
    // Relu is fused into the layer: `Network` sets `relu` if `activation` is relu. Every other activation is a step of
    // its own after the layer (ActivationPass), as is a layer of kind `activation`.
    bool relu = false;
    Activation activation = Activation::none;
    float slope = 0.2f;   // of leaky relu below zero
    int64_t dropped = 0;  // dropout's rate times 2^24
    bool has_bias = true;
#if defined(CONVSCOPE_NO_BFLOAT16)
    static constexpr bool bfloat16 = false;
#else
    bool bfloat16 = false;  // whether products may multiply bfloat16 numbers
#endif
    // Of normalisations: the share of the old moving statistics that a step keeps, and a term added to the variance.
    double momentum = 0.99, epsilon = 1e-3;
    int64_t earlier = -1;  // if `reads_earlier()`: the layer whose output it also reads, -1 for the image

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
        return kind == Kind::addition || kind == Kind::branch || kind == Kind::concatenation ||
               kind == Kind::multiplication;
    }
    // Whether the layer must be computed on maps: it reads windows, or more than a pixel.
    bool reads_map() const {
        const bool is_windowed = kind == Kind::convolution || kind == Kind::depthwise || kind == Kind::max_pooling ||
                                 kind == Kind::average_pooling;
        return is_windowed || input.height * input.width > 1;
    }
    // The rows or columns that a window spans, from its first to its last pixel: 5 for a window of 3 with dilation 2.
    int64_t reach(std::size_t axis) const { return (window[axis] - 1) * dilation[axis] + 1; }
    // Whether a kernel row reads contiguous numbers, as Winograd, bfloat16 and pooled convolutions need it.
    bool has_plain_kernel() const { return dilation[0] == 1 && dilation[1] == 1 && groups == 1; }
    bool has_weights() const { return kind == Kind::convolution || kind == Kind::dense || is_by_channel(); }
    // Whether each channel has weights of its own.
    bool is_by_channel() const { return kind == Kind::depthwise || kind == Kind::prelu || is_normalization(); }
    // Whether it has gamma and beta, and needs the whole map.
    bool is_normalization() const {
        return kind == Kind::normalization || kind == Kind::layer_normalization || kind == Kind::group_normalization;
    }
};

struct Input {
    Shape shape;
    float scale = 1, offset = 0;  // the network's input is byte * scale + offset

    template <class Visit>
    static constexpr void for_fields(Visit visit) {
        visit("shape", &Input::shape);
        visit("scale", &Input::scale);
        visit("offset", &Input::offset);
    }
};

}  // namespace convscope
