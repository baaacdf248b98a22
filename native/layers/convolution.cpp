#include "convolution.hpp"

#include <algorithm>
#include <cstring>

#include "channel_sums.hpp"

namespace convscope {

constexpr int64_t pixels_at_once = 512;  // their inputs stay in cache while all panels are multiplied
constexpr int64_t gradient_pixels_at_once = 128;  // one panel of their gradient is 16 KB

std::vector<int64_t> kernel_corners(const Layer& layer, const Layout& input) {
    std::vector<int64_t> offsets;
    for (int64_t y = 0; y < layer.output.height; ++y) {
        for (int64_t x = 0; x < layer.output.width; ++x) {
            offsets.push_back(y * layer.stride[0] * input.row() + x * layer.stride[1] * input.shape.channels);
        }
    }
    return offsets;
}

void multiply_at_offsets(const Kernels& kernels, Product product, const std::vector<int64_t>& reads,
                     const std::vector<int64_t>& writes) {
    const auto count = static_cast<int64_t>(reads.size());
    for (int64_t begin = 0; begin < count; begin += pixels_at_once) {
        product.rows = std::min(pixels_at_once, count - begin);
        product.a_rows = reads.data() + begin;
        product.c_rows = writes.data() + begin;
        kernels.multiply(product);
    }
}

std::vector<int64_t> kernel_offsets(const Layer& layer, const Layout& input) {
    std::vector<int64_t> offsets;
    for (int64_t r = 0; r < layer.window[0]; ++r) {
        for (int64_t s = 0; s < layer.window[1]; ++s) {
            const int64_t offset = r * layer.dilation[0] * input.row() + s * layer.dilation[1] * layer.input.channels;
            for (int64_t c = 0; c < layer.input.channels / layer.groups; ++c) offsets.push_back(offset + c);
        }
    }
    return offsets;
}

KernelWalk::KernelWalk(const Layer& layer, const Layout& map)
    : row(layer.dilation[0] * map.row()), length(map.shape.channels / layer.groups) {
    const int64_t column = layer.dilation[1] * map.shape.channels;  // offset from one tap of a kernel row to the next
    // The numbers of a row are evenly spaced if the taps touch each other, or if each is a single number.
    if (column == length || length == 1) {
        step = column == length ? 1 : column;
        length *= layer.window[1];
        return;
    }
    row_segments = layer.window[1];
    for (int64_t q = 1; q < layer.window[0] * row_segments; ++q) {
        jumps.push_back(q % row_segments == 0 ? row - (row_segments - 1) * column : column);
    }
}

void KernelWalk::set(Product& product, int64_t rows, int64_t width) const {
    product.a_segment = row;
    product.a_jumps = jumps.empty() ? nullptr : jumps.data();
    product.a_step = step;
    product.segments = rows * row_segments;
    product.length = length;
    product.b_step = width;
    product.b_segment = length * width;
}

// Large enough for the map with its padding and for all that the windows read.
Layout Convolution::input_layout(const Layer& layer) {
    const Shape in = layer.input, out = layer.output;
    return {in, std::max(layer.padding[0] + in.height, (out.height - 1) * layer.stride[0] + layer.reach(0)),
            std::max(layer.padding[1] + in.width, (out.width - 1) * layer.stride[1] + layer.reach(1)), layer.padding[0],
            layer.padding[1]};
}

// Input row p gets dy[o] w[r] if o stride = p + padding - r. dy[o] lies in row top + o stride of the frame, with top =
// reach - 1 - padding: that is row p + reach - 1 - r. So the `reach` rows from p on meet the kernel from last to first.
Layout Convolution::gradient_layout(const Layer& layer) {
    return {layer.output,
            layer.input.height + layer.reach(0) - 1, layer.input.width + layer.reach(1) - 1,
            layer.reach(0) - 1 - layer.padding[0], layer.reach(1) - 1 - layer.padding[1],
            {layer.stride[0], layer.stride[1]}};
}

Convolution::Convolution(const StepContext& context, Parameters& parameters)
    : WeightedLayer(context, parameters),
      has_few_channels_(has_few_channels(layer_, kernels_)), walk_(layer_, input_.value),
      reads_(kernel_corners(layer_, input_.value)),
      writes_(output_.value.offsets()),
      kernel_reads_(kernel_offsets(layer_, input_.value)),
      kernel_writes_(multiples(kernels_.panel_width, parameters.inputs())) {
    if (!wants_input_gradient_) return;
    parameters.keep_transposed();
    back_walk_ = std::make_unique<const KernelWalk>(layer_, output_.gradient);
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        for (int64_t x = 0; x < layer_.input.width; ++x) {
            back_reads_.push_back(y * output_.gradient.row() + x * layer_.output.channels);
        }
    }
    // Successive input rows with the same kernel rows form a band. For a valid 3 x 3 convolution the first input row takes
    // row 2 of the transposed kernel alone, since rows 0 and 1 read padding, the second rows 1 and 2, and the next ones all.
    const Layout& from = output_.gradient;
    const int64_t step = layer_.dilation[0], below = from.top + (layer_.output.height - 1) * layer_.stride[0] + 1;
    for (int64_t y = 0; y < layer_.input.height; ++y) {
        // Kernel row r reads row y + r step of the frame, which holds the output gradient in rows [top, below).
        const auto first_from = [&](int64_t frame_row) { return std::max<int64_t>(0, (frame_row - y + step - 1) / step); };
        const int64_t first = first_from(from.top);
        const int64_t end = std::max(first, std::min(layer_.window[0], first_from(below)));
        const bool is_same = !bands_.empty() && bands_.back().first_row == first && bands_.back().end_row == end;
        if (!is_same) bands_.push_back({y * layer_.input.width, 0, first, end});
        bands_.back().end = (y + 1) * layer_.input.width;
    }
    back_writes_ = input_.gradient.offsets();
    back_masks_ = input_.value.offsets();
    if (has_few_channels_) {
        gradient_offsets_ = output_.gradient.offsets();
        product_rows_ = multiples(parameters.inputs(), static_cast<int64_t>(gradient_offsets_.size()));
    }
}

void Convolution::forward_image(Workspace& workspace, int64_t image) const {
    Product p;
    p.a = workspace.values[map_].image(image);
    walk_.set(p, layer_.window[0], kernels_.panel_width);
    p.b = parameters_.panel(0);
    p.b_panel = parameters_.panel_size();
    p.bias = parameters_.bias(0);
    p.products = layer_.groups;
    p.columns = p.c_product = layer_.output.channels / layer_.groups;
    p.a_product = layer_.input.channels / layer_.groups;
    p.b_product = parameters_.group_panels() * p.b_panel;
    p.finish = layer_.relu ? Finish::bias_relu : Finish::bias;
    p.c = workspace.values[map_ + 1].image(image);
    multiply_at_offsets(kernels_, p, reads_, writes_);
}

void Convolution::backward_image(Workspace& workspace, int64_t image, float* gradient) const {
    const float* output_gradient = workspace.gradients[map_ + 1].image(image);
    if (gradient != nullptr) {
        kernel_gradient(workspace.values[map_].image(image), output_gradient, gradient);
        add_bias_gradient(output_gradient, gradient);
    }
    if (!wants_input_gradient_) return;
    if (has_few_channels_) return input_gradient_of_few_channels(workspace, image, output_gradient);
    input_gradient(workspace, image, output_gradient);
}

bool Convolution::has_few_channels(const Layer& layer, const Kernels& kernels) {
    if (layer.groups > 1) return false;
    const auto registers = [&](int64_t numbers) { return (numbers + kernels.vector_width - 1) / kernels.vector_width; };
    const int64_t run = layer.window[1] * layer.input.channels, kernel = layer.window[0] * run;
    const int64_t taps = layer.window[0] * layer.window[1];
    // Vector steps per pixel: the usual product must take twice those of this one and its scalar additions.
    return taps * layer.output.channels * registers(layer.input.channels) >
           2 * (layer.output.channels * registers(kernel) + kernel);
}

int64_t Convolution::scratch_size() const {
    if (!wants_input_gradient_ || !has_few_channels_) return 0;
    const int64_t transposed = parameters_.filters() * round_up(parameters_.inputs(), kernels_.panel_width);
    return round_up(input_.value.size(), 16) + transposed + static_cast<int64_t>(gradient_offsets_.size()) * parameters_.inputs();
}

// products[p, (r, s, c)] = sum over f of dy[p, f] kernel[r, s, c, f] is a matrix product. Then the row of each output
// pixel p is added to the pixels of its window in `frame`, the input with its padding, whose inside is the input
// gradient.
void Convolution::input_gradient_of_few_channels(Workspace& workspace, int64_t image, const float* output_gradient) const {
    const int64_t width = kernels_.panel_width, inputs = parameters_.inputs(), filters = parameters_.filters();
    float* const frame = workspace.scratch->floats.data();
    float* const transposed = frame + round_up(input_.value.size(), 16);  // panels of (filter, panel_width)
    float* const products = transposed + filters * round_up(inputs, width);
    // The copy has a row for each filter: weights [row, row + width) of a panel of filters become rows of its panel
    // number row / width, from row panel * width on.
    for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
        for (int64_t row = 0; row < inputs; row += width) {
            kernels_.transpose(parameters_.panel(panel) + row * width, width, transposed + row * filters + panel * width * width,
                               width, std::min(width, inputs - row), parameters_.columns(panel));
        }
    }
    Product p;
    p.a = output_gradient;
    p.a_rows = gradient_offsets_.data();
    p.b = transposed;
    p.b_step = width;
    p.b_panel = filters * width;
    p.length = filters;
    p.rows = static_cast<int64_t>(gradient_offsets_.size());
    p.columns = inputs;
    p.c = products;
    p.c_rows = product_rows_.data();
    kernels_.multiply(p);

    std::memset(frame, 0, static_cast<std::size_t>(input_.value.size()) * sizeof(float));
    // A kernel row is one run of contiguous numbers, or with dilation a run for each of its taps.
    const int64_t runs = layer_.dilation[1] == 1 ? 1 : layer_.window[1];
    const int64_t run = layer_.window[1] * layer_.input.channels / runs, from_run = layer_.dilation[1] * layer_.input.channels;
    const float* product = products;
    for (const int64_t offset : reads_) {
        for (int64_t r = 0; r < layer_.window[0]; ++r) {
            float* to = frame + offset + r * walk_.row;
            for (int64_t s = 0; s < runs; ++s, to += from_run, product += run) {
                for (int64_t i = 0; i < run; ++i) to[i] += product[i];
            }
        }
    }
    write_input_gradient(workspace, image, frame + input_.value.at(0, 0), input_.value.row());
}

// A product whose row m is a weight (r, s, c), segment q a row of output pixels, and k a pixel of that row.
void Convolution::kernel_gradient(const float* input, const float* output_gradient, float* gradient) const {
    const Layout& layout = output_.gradient;
    Product p;
    p.length = layout.shape.width;
    p.b_segment = layout.step[0] * layout.row();
    p.b_step = layout.step[1] * layout.shape.channels;
    p.finish = Finish::accumulate;
    p.c_rows = kernel_writes_.data();
    for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
        const float* gradient_panel = output_gradient + layout.at(0, 0) + parameters_.first_filter(panel);
        const float* input_group = input + parameters_.group(panel) * (layer_.input.channels / layer_.groups);
        p.columns = parameters_.columns(panel);
        p.c = gradient + panel * parameters_.panel_size();
        p.a_rows = kernel_reads_.data();
        p.a_segment = layer_.stride[0] * input_.value.row();
        p.a_step = layer_.stride[1] * layer_.input.channels;
        p.rows = parameters_.inputs();
        // Every tile reads the whole gradient, so take a few of its rows at a time: they stay in the first-level cache.
        const int64_t rows_at_once = std::max<int64_t>(1, gradient_pixels_at_once / p.length);
        for (int64_t y = 0; y < layout.shape.height; y += rows_at_once) {
            p.segments = std::min(rows_at_once, layout.shape.height - y);
            p.a = input_group + y * p.a_segment;
            p.b = gradient_panel + y * p.b_segment;
            kernels_.multiply(p);
        }
    }
}

void Convolution::input_gradient(Workspace& workspace, int64_t image, const float* output_gradient) const {
    Product p;
    p.b_panel = parameters_.transposed_rows() * kernels_.panel_width;
    p.products = layer_.groups;
    p.columns = p.c_product = layer_.input.channels / layer_.groups;
    p.a_product = layer_.output.channels / layer_.groups;
    p.b_product = parameters_.transposed_panels() * p.b_panel;
    p.c = workspace.gradients[map_].image(image);
    p.mask = workspace.values[map_].image(image);
    p.finish = input_.relu ? Finish::store_where_positive : Finish::store;
    for (const Band& band : bands_) {
        back_walk_->set(p, band.end_row - band.first_row, kernels_.panel_width);
        p.a = output_gradient + band.first_row * back_walk_->row;
        p.b = parameters_.transposed_panel(0) + band.first_row * back_walk_->row_segments * p.b_segment;
        for (int64_t begin = band.begin; begin < band.end; begin += pixels_at_once) {
            p.rows = std::min(pixels_at_once, band.end - begin);
            p.a_rows = back_reads_.data() + begin;
            p.c_rows = back_writes_.data() + begin;
            p.mask_rows = back_masks_.data() + begin;
            kernels_.multiply(p);
        }
    }
}

std::unique_ptr<ChannelSums> Convolution::channel_sums() const {
    return std::make_unique<ConvolutionSums>(layer_, nullptr, map_, input_.value, output_.value, parameters_, kernels_);
}

Extents Convolution::extents() const {
    const int64_t window = (layer_.reach(0) - 1) * input_.value.row() + layer_.reach(1) * layer_.input.channels;
    Extents extents = {{layer_.input, reads_.back() + window},
                       Cells::in(output_.value, layer_.output), Cells::in(output_.gradient, layer_.output),
                       Cells::in(input_.gradient, layer_.input)};
    for (const Band& band : bands_) {
        const int64_t last = back_reads_[static_cast<std::size_t>(band.end - 1)];
        const int64_t end = last + (band.end_row - 1) * back_walk_->row + layer_.reach(1) * layer_.output.channels;
        extents.reads_gradient.end = std::max(extents.reads_gradient.end, end);
    }
    return extents;
}

}  // namespace convscope
