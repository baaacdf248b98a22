#include "bfloat16_convolution.hpp"

#include <algorithm>

namespace convscope {

namespace {

// Pixels in one sum: enough to pay for its start and end, few enough that the operands stay in cache.
constexpr int64_t min_pixels = 256, max_pixels = 512;
constexpr int64_t min_channels = 16;  // the input channels are rows of the kernel gradient: enough to fill a tile

int64_t frame_size(const Layout& layout) { return layout.frame_height * layout.frame_width; }

int64_t tiles(int64_t rows) { return (rows + bfloat16_rows - 1) / bfloat16_rows; }

// Inserts -1 for the padding between the rows of a map: offsets a b c d of 2 x 2 pixels in rows of 3 become a b -1 c d.
std::vector<int64_t> stretch(const std::vector<int64_t>& offsets, int64_t width, int64_t frame_width) {
    std::vector<int64_t> stretched;
    for (const int64_t offset : offsets) {
        if (static_cast<int64_t>(stretched.size()) % frame_width == width) {
            stretched.insert(stretched.end(), static_cast<std::size_t>(frame_width - width), -1);
        }
        stretched.push_back(offset);
    }
    return stretched;
}

}  // namespace

Bfloat16Convolution::Runs Bfloat16Convolution::make_runs(const Shape& map, int64_t frame_width,
                                                         const std::vector<int64_t>& offsets) {
    const std::vector<int64_t> whole = stretch(offsets, map.width, frame_width);
    const auto rows = static_cast<int64_t>(whole.size());
    if (map.height * tiles(map.width) <= tiles(rows)) return {map.height, map.width, offsets};
    return {1, rows, whole};
}

Bfloat16Convolution::Bfloat16Convolution(const StepContext& context, Parameters& parameters)
    : Convolution(context, parameters) {
    parameters.keep_bfloat16(wants_input_gradient_);
    const Layout& input = input_.value;
    const int64_t filters = parameters.bfloat16().even_filters();
    while (group_ < slice_images && group_ * layer_.output.height * layer_.output.width < min_pixels) group_ *= 2;
    writes_by_runs_ = make_runs(layer_.output, input.frame_width, writes_);
    for (int64_t row = 0; row < layer_.window[0]; ++row) {
        segments_.push_back(row * input.row());
        back_segments_.push_back(row * output_.gradient.frame_width * filters);
    }
    if (wants_input_gradient_) {
        back_writes_by_runs_ = make_runs(layer_.input, output_.gradient.frame_width, back_writes_);
        back_masks_by_runs_ = make_runs(layer_.input, output_.gradient.frame_width, back_masks_);
    }
    gradient_pixels_ = stretch(output_.gradient.offsets(), layer_.output.width, input.frame_width);
    channel_size_ = round_up(frame_size(input), 2);
    for (int64_t pixel = 0; pixel < frame_size(input); ++pixel) frame_offsets_.push_back(pixel * layer_.input.channels);
}

int64_t Bfloat16Convolution::bfloat16_scratch_size() const {
    const int64_t filters = parameters_.bfloat16().even_filters(), channels = layer_.input.channels;
    // The map, and the rows that its last tile reads beyond the end.
    const int64_t forward = input_.value.size() + bfloat16_rows * channels;
    const int64_t back = (frame_size(output_.gradient) + bfloat16_rows) * filters;
    // Of `kernel_gradient_of`: A, the images by channel, and B, for each panel up to slice_images segments.
    const int64_t segment = bfloat16_padded(max_pixels) + bfloat16_padded(input_.value.frame_width);
    const int64_t kernel = (slice_images * channels + bfloat16_rows) * channel_size_ +
                           slice_images * parameters_.panels() * segment * kernels_.panel_width;
    return std::max({forward, back, kernel}) + bfloat16_step;
}

void Bfloat16Convolution::forward_image(Workspace& workspace, int64_t image) const {
    uint16_t* rounded = workspace.scratch->bfloat16.data();
    kernels_.round_to_bfloat16(workspace.values[map_].image(image), input_.value.size(), rounded);
    Bfloat16Product p;
    p.a = rounded;
    p.a_row = layer_.input.channels;
    p.a_run = input_.value.row();
    p.a_segments = segments_.data();
    p.segments = layer_.window[0];
    p.length = layer_.window[1] * layer_.input.channels;
    p.b = parameters_.bfloat16().panels();
    p.b_panel = parameters_.bfloat16().panel_size();
    p.runs = writes_by_runs_.runs;
    p.rows = writes_by_runs_.rows;
    p.columns = layer_.output.channels;
    p.c = workspace.values[map_ + 1].image(image);
    p.c_rows = writes_by_runs_.offsets.data();
    p.c_panel = kernels_.panel_width;
    p.finish = layer_.relu ? Finish::bias_relu : Finish::bias;
    p.bias = parameters_.bias(0);
    p.bias_panel = parameters_.panel_size();
    kernels_.multiply_bfloat16(p);
}

void Bfloat16Convolution::backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
    const bool in_bfloat16 = layer_.input.channels >= min_channels;
    if (gradient != nullptr && in_bfloat16) kernel_gradient_of(workspace, begin, end, gradient);
    for (int64_t image = begin; image < end; ++image) {
        const float* output_gradient = workspace.gradients[map_ + 1].image(image);
        if (gradient != nullptr) {
            if (!in_bfloat16) kernel_gradient(workspace.values[map_].image(image), output_gradient, gradient);
            add_bias_gradient(output_gradient, gradient);
        }
        if (wants_input_gradient_) input_gradient(workspace, image, output_gradient);
    }
}

// dkernel[(r, s, c), f] = sum over images and pixels p of x[p + (r, s), c] dy[p, f] is a product for each tap (r, s). A is
// the input as (channel, pixel with padding), so that a tap only moves its start by r frame_width + s. B is dy, a row for
// each pixel, stretched by zeros to the same rows. A segment of the sum is an image, or some rows of one: of 28 x 28
// pixels in frames of 30 the sums are of rows 0-16 and 17-27 of an image, of 7 x 7 in frames of 9 of 8 images.
void Bfloat16Convolution::kernel_gradient_of(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
    const int64_t channels = layer_.input.channels, size = channels * channel_size_;
    uint16_t* by_channels = workspace.scratch->bfloat16.data();
    for (int64_t image = begin; image < end; ++image) {
        kernels_.by_channels(workspace.values[map_].image(image), frame_offsets_.data(), frame_size(input_.value), channels,
                             by_channels + (image - begin) * size, channel_size_);
    }
    const Shape out = layer_.output;
    const int64_t frame_width = input_.value.frame_width;
    const int64_t rows_at_once = std::min(out.height, std::max<int64_t>(1, max_pixels / frame_width));
    const int64_t images_at_once = std::max<int64_t>(1, max_pixels / (out.height * frame_width));
    int64_t segments[slice_images];
    Bfloat16Product p;
    p.a_row = channel_size_;
    p.a_segments = segments;
    p.rows = channels;
    p.columns = out.channels;
    p.c_rows = kernel_writes_.data();
    p.c_panel = parameters_.panel_size();
    p.finish = Finish::accumulate;
    for (int64_t first = begin; first < end; first += images_at_once) {
        p.segments = std::min(images_at_once, end - first);
        for (int64_t i = 0; i < p.segments; ++i) segments[i] = (first - begin + i) * size;
        for (int64_t y = 0; y < out.height; y += rows_at_once) {
            p.length = (std::min(rows_at_once, out.height - y) - 1) * frame_width + out.width;
            uint16_t* panels = by_channels + ((end - begin) * channels + bfloat16_rows) * channel_size_;
            p.b = panels;
            p.b_panel = pair_gradients(workspace, first, p.segments, y * frame_width, p.length, panels);
            for (int64_t tap = 0; tap < layer_.window[0] * layer_.window[1]; ++tap) {
                const int64_t r = tap / layer_.window[1], s = tap % layer_.window[1];
                p.a = by_channels + (y + r) * frame_width + s;
                p.c = gradient + tap * channels * kernels_.panel_width;
                kernels_.multiply_bfloat16(p);
            }
        }
    }
}

int64_t Bfloat16Convolution::pair_gradients(Workspace& workspace, int64_t first, int64_t images, int64_t first_row,
                                            int64_t rows, uint16_t* panels) const {
    const int64_t width = kernels_.panel_width, segment = bfloat16_padded(rows) * width;
    for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
        for (int64_t i = 0; i < images; ++i, panels += segment) {
            kernels_.pair_rows(workspace.gradients[map_ + 1].image(first + i) + panel * width,
                               gradient_pixels_.data() + first_row, rows, panels);
        }
    }
    return images * segment;
}

// Pairs of the sum must be of one pixel, so with an odd number of filters each pixel gets a zero: f0 f1 f2 0.
void Bfloat16Convolution::input_gradient(Workspace& workspace, int64_t image, const float* output_gradient) const {
    const int64_t filters = layer_.output.channels, even_filters = parameters_.bfloat16().even_filters();
    const int64_t pixels = frame_size(output_.gradient);
    uint16_t* rounded = workspace.scratch->bfloat16.data();
    if (filters == even_filters) {
        kernels_.round_to_bfloat16(output_gradient, pixels * filters, rounded);
    } else {
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            kernels_.round_to_bfloat16(output_gradient + pixel * filters, filters, rounded + pixel * even_filters);
            rounded[pixel * even_filters + filters] = 0;
        }
    }
    Bfloat16Product p;
    p.a = rounded;
    p.a_row = even_filters;
    p.a_run = output_.gradient.frame_width * even_filters;
    p.a_segments = back_segments_.data();
    p.segments = layer_.window[0];
    p.length = layer_.window[1] * even_filters;
    p.b = parameters_.bfloat16().transposed_panels();
    p.b_panel = parameters_.bfloat16().transposed_panel_size();
    p.runs = back_writes_by_runs_.runs;
    p.rows = back_writes_by_runs_.rows;
    p.columns = layer_.input.channels;
    p.c = workspace.gradients[map_].image(image);
    p.c_rows = back_writes_by_runs_.offsets.data();
    p.c_panel = kernels_.panel_width;
    p.mask = workspace.values[map_].image(image);
    p.mask_rows = back_masks_by_runs_.offsets.data();
    p.finish = input_.relu ? Finish::store_where_positive : Finish::store;
    kernels_.multiply_bfloat16(p);
}

}  // namespace convscope
