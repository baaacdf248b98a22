#include "channel_sums.hpp"

#include <algorithm>

#include "pooling.hpp"

namespace convscope {

ConvolutionSums::ConvolutionSums(const Layer& convolution, const Layer* pooling, std::size_t map, const Layout& input,
                                 const Layout& output, const Parameters& parameters, const Kernels& kernels)
    : layer_(convolution),
      pooling_(pooling == nullptr ? nullptr : std::make_unique<const Layer>(*pooling)),
      map_(map), input_(input), output_(output), parameters_(parameters), kernels_(kernels),
      ones_([&] {
          Layout layout = Convolution::input_layout(convolution);
          layout.shape.channels = 1;
          return layout;
      }()),
      walk_(convolution, input), reads_(kernel_corners(convolution, input)),
      ones_reads_(kernel_corners(convolution, ones_)),
      writes_(multiples(convolution.output.channels, convolution.output.height * convolution.output.width)),
      cells_(output.offsets()) {}

Product ConvolutionSums::product() const {
    Product p;
    walk_.set(p, layer_.window[0], kernels_.panel_width);
    p.b = parameters_.panel(0);
    p.b_panel = parameters_.panel_size();
    p.products = layer_.groups;
    p.columns = p.c_product = layer_.output.channels / layer_.groups;
    p.a_product = layer_.input.channels / layer_.groups;
    p.b_product = parameters_.group_panels() * p.b_panel;
    return p;
}

// A pixel has the numbers of all channels side by side, and a tap a row of B for each. So one channel's product is the whole
// one with steps over the others: of 3 channels, channel 1 has numbers and rows 1, 4, 7, ...
Product ConvolutionSums::product_of(int64_t channel) const {
    const int64_t channels = layer_.input.channels / layer_.groups, group = channel / channels;
    Product p = product();
    p.products = 1;
    p.a_segment = walk_.row;
    p.a_jumps = nullptr;
    p.a_step = layer_.dilation[1] * layer_.input.channels;
    p.b_step *= channels;
    p.segments = layer_.window[0];
    p.length = layer_.window[1];
    p.b_segment = p.length * p.b_step;
    p.b += group * p.b_product + channel % channels * kernels_.panel_width;
    return p;
}

float* ConvolutionSums::sums_of(int64_t channel, float* sums) const {
    if (layer_.groups == 1) return sums;
    std::fill_n(sums, size(), 0.0f);
    const int64_t group = channel / (layer_.input.channels / layer_.groups);
    return sums + group * (layer_.output.channels / layer_.groups);
}

void ConvolutionSums::whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const {
    Product p = product();
    p.bias = parameters_.bias(0);
    p.finish = Finish::bias;
    for (int64_t image = begin; image < end; ++image) {
        p.a = workspace.values[map_].image(image);
        p.c = sums + (image - begin) * size();
        multiply_at_offsets(kernels_, p, reads_, writes_);
    }
}

void ConvolutionSums::part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const {
    Product p = product_of(channel);
    for (int64_t image = begin; image < end; ++image) {
        p.a = workspace.values[map_].image(image) + channel;
        p.c = sums_of(channel, sums + (image - begin) * size());
        multiply_at_offsets(kernels_, p, reads_, writes_);
    }
}

void ConvolutionSums::part_of_one(int64_t channel, float* sums) const {
    Buffer<float> ones = make_buffer<float>(ones_.size());
    for (int64_t offset : ones_.offsets()) ones[static_cast<std::size_t>(offset)] = 1;
    Product p = product_of(channel);
    p.a = ones.data();
    p.a_step = layer_.dilation[1];
    p.a_segment = layer_.dilation[0] * ones_.row();
    p.c = sums_of(channel, sums);
    multiply_at_offsets(kernels_, p, ones_reads_, writes_);
}

void ConvolutionSums::finish(Workspace& workspace, int64_t image, const float* sums) const {
    const Activation activation = layer_.relu ? Activation::relu : Activation::none;
    const int64_t run = output_.shape.width * output_.shape.channels;
    float* output = workspace.values[map_ + 1].image(image);
    if (pooling_ != nullptr) {
        PoolingImage p = pooling_image(*pooling_);
        p.input = sums;
        p.output = output;
        p.output_offsets = cells_.data();
        kernels_.pool(p);
        if (!layer_.relu) return;
    }
    for (int64_t y = 0; y < output_.shape.height; ++y) {
        float* row = output + output_.at(y, 0);
        kernels_.activate(activation, 0, pooling_ != nullptr ? row : sums + y * run, run, row);  // relu and max commute
    }
}

DenseSums::DenseSums(bool relu, std::size_t map, const Shape& input, const Parameters& parameters, const Kernels& kernels)
    : relu_(relu), map_(map), input_(input), parameters_(parameters), kernels_(kernels),
      writes_(multiples(size(), slice_images)) {}

Product DenseSums::product(int64_t count, float* sums) const {
    Product p;
    p.b_step = kernels_.panel_width;
    p.length = parameters_.inputs();
    p.rows = count;
    p.columns = size();
    p.b = parameters_.panel(0);
    p.b_panel = parameters_.panel_size();
    p.c = sums;
    p.c_rows = writes_.data();
    return p;
}

// As for ConvolutionSums; a tap is a pixel of the map.
Product DenseSums::product_of(int64_t channel, int64_t count, float* sums) const {
    Product p = product(count, sums);
    p.a_step = input_.channels;
    p.b_step *= input_.channels;
    p.length = input_.height * input_.width;
    p.b += channel * kernels_.panel_width;
    return p;
}

void DenseSums::whole(const Workspace& workspace, int64_t begin, int64_t end, float* sums) const {
    const MapImages& from = workspace.values[map_];
    const std::vector<int64_t> reads = multiples(from.stride, end - begin);
    Product p = product(end - begin, sums);
    p.a = from.image(begin);
    p.a_rows = reads.data();
    p.bias = parameters_.bias(0);
    p.finish = Finish::bias;
    kernels_.multiply(p);
}

void DenseSums::part(const Workspace& workspace, int64_t begin, int64_t end, int64_t channel, float* sums) const {
    const MapImages& from = workspace.values[map_];
    const std::vector<int64_t> reads = multiples(from.stride, end - begin);
    Product p = product_of(channel, end - begin, sums);
    p.a = from.image(begin) + channel;
    p.a_rows = reads.data();
    kernels_.multiply(p);
}

void DenseSums::part_of_one(int64_t channel, float* sums) const {
    Product p = product_of(channel, 1, sums);
    const float unit = 1;
    p.a = &unit;
    p.a_step = 0;
    p.a_rows = writes_.data();
    kernels_.multiply(p);
}

void DenseSums::finish(Workspace& workspace, int64_t image, const float* sums) const {
    kernels_.activate(relu_ ? Activation::relu : Activation::none, 0, sums, size(), workspace.values[map_ + 1].image(image));
}

}  // namespace convscope
