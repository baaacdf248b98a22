#include "winograd_convolution.hpp"

#include <algorithm>
#include <cstring>

#include "channel_sums.hpp"

namespace convscope {

namespace {

// A block is a number of tiles whose transformed inputs and outputs (512 KB) stay in the second-level cache, but at
// least min_tiles, so that each matrix product is long enough to pay for its start.
constexpr int64_t block_floats = 1 << 17;
constexpr int64_t min_tiles = 32;

// Rounds a row up to whole registers, and avoids multiples of 256 bytes, whose columns compete for the same cache sets.
int64_t row_step(int64_t numbers) {
    const int64_t step = round_up(numbers, 16);
    return step % 64 == 0 ? step + 16 : step;
}

// The distance of the numbers of two positions: an odd number of cache lines, so that the 36 numbers of a tile lie in
// different sets of the cache. 48 tiles of 32 channels are 96 lines, and every number would lie in one of two sets.
int64_t position_step(int64_t numbers) { return (round_up(numbers, 16) / 16 | 1) * 16; }

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

}  // namespace

// The last tile reads sizes.kernel - 1 rows and columns beyond its outputs.
Layout WinogradConvolution::input_layout(const Layer& layer) {
    const WinogradSizes sizes = winograd_sizes(choose_winograd(layer));
    const Layout tiles = gradient_layout(layer);
    return {layer.input, std::max(layer.padding[0] + layer.input.height, tiles.frame_height + sizes.kernel - 1),
            std::max(layer.padding[1] + layer.input.width, tiles.frame_width + sizes.kernel - 1), layer.padding[0],
            layer.padding[1]};
}

Layout WinogradConvolution::gradient_layout(const Layer& layer) {
    const int64_t side = winograd_sizes(choose_winograd(layer)).outputs;
    return {layer.output, round_up(layer.output.height, side), round_up(layer.output.width, side)};
}

WinogradConvolution::WinogradConvolution(const StepContext& context, Parameters& parameters)
    : WeightedLayer(context, parameters), algorithm_(choose_winograd(layer_)), sizes_(winograd_sizes(algorithm_)),
      frame_(input_layout(layer_)), tiles_(winograd_tiles(algorithm_, layer_.output)) {
    parameters.keep_winograd(algorithm_);
    if (wants_input_gradient_) parameters.keep_winograd_transposed();
    input_step_ = row_step(layer_.input.channels);
    output_step_ = row_step(layer_.output.channels);
    frame_.shape.channels = round_up(layer_.input.channels, kernels_.vector_width);
    const int64_t side = sizes_.outputs;
    for (int64_t y = 0; y < layer_.output.height; y += side) {
        for (int64_t x = 0; x < layer_.output.width; x += side) {
            reads_.push_back(y * input_.value.row() + x * layer_.input.channels);
            writes_.push_back(output_.value.at(y, x));
            gradient_reads_.push_back(output_.gradient.at(y, x));
            frame_offsets_.push_back(y * frame_.row() + x * frame_.shape.channels);
            inside_.push_back(std::min(side, layer_.output.height - y));
            inside_.push_back(std::min(side, layer_.output.width - x));
        }
    }
    // With 32 channels and 36 positions 56 tiles fit: one image of 28 x 28 pixels (49 tiles of 4 x 4), or three of 14 x 14 (16).
    const int64_t fit = std::max(min_tiles, block_floats / (sizes_.positions() * (input_step_ + output_step_)));
    block_images_ = std::clamp<int64_t>(std::max(fit / tiles_, divide_up(min_tiles, tiles_)), 1, slice_images);
    block_tiles_ = divide_up(tiles_, std::max<int64_t>(1, tiles_ / fit));  // a large map in parts of about one size
    const int64_t tiles = block_images_ * block_tiles_;
    input_rows_ = multiples(input_step_, tiles);
    output_rows_ = multiples(output_step_, tiles);
    product_rows_ = multiples(kernels_.panel_width, std::max(tiles, layer_.input.channels));
    channels_ = multiples(1, layer_.input.channels);
}

int64_t WinogradConvolution::products_size() const {
    return sizes_.positions() * position_step(kernels_.panel_width * static_cast<int64_t>(product_rows_.size()));
}

int64_t WinogradConvolution::forward_scratch_size() const {
    return sizes_.positions() * position_step(block_images_ * block_tiles_ * input_step_) + products_size();
}

int64_t WinogradConvolution::scratch_size() const {
    const int64_t tiles = block_images_ * block_tiles_;
    const int64_t transformed = position_step(tiles * input_step_) + position_step(tiles * output_step_);
    return sizes_.positions() * transformed + products_size() + (wants_input_gradient_ ? block_images_ * frame_.size() : 0);
}

template <class Work>
void WinogradConvolution::for_each_block(int64_t begin, int64_t end, Work work) const {
    for (int64_t image = begin; image < end; image += block_images_) {
        for (int64_t tile = 0; tile < tiles_; tile += block_tiles_) {
            work(Block{image, std::min(image + block_images_, end), tile, std::min(tile + block_tiles_, tiles_)});
        }
    }
}

template <class Image>
void WinogradConvolution::transform(const Block& block, void (*kernel)(const WinogradTiles&), const TiledMap& map,
                                    const Transformed& transformed, WinogradTiles tiles, Image image) const {
    tiles.algorithm = algorithm_;
    tiles.tiles = block.end_tile - block.first_tile;
    tiles.row = map.layout.row();
    tiles.pixel = map.layout.shape.channels;
    tiles.offsets = map.offsets.data() + block.first_tile;
    tiles.inside = inside_.data() + 2 * block.first_tile;
    tiles.position_step = transformed.position_step;
    tiles.tile_step = transformed.tile_step;
    for (int64_t i = block.begin; i < block.end; ++i) {
        tiles.map = image(i);
        tiles.transformed = transformed.numbers + (i - block.begin) * tiles.tiles * tiles.tile_step;
        kernel(tiles);
        tiles.fetch.from += tiles.tiles * tiles.fetch.step;
    }
}

Product WinogradConvolution::product_of(const Block& block, const Transformed& from, int64_t channels,
                                        const Transformed& to) const {
    Product p;
    p.products = sizes_.positions();
    p.rows = block.tiles();
    p.length = channels;
    p.a = from.numbers;
    p.a_rows = from.rows;
    p.a_product = from.position_step;
    p.b_step = kernels_.panel_width;
    p.b_product = channels * kernels_.panel_width;
    p.c = to.numbers;
    p.c_rows = to.rows;
    p.c_product = to.position_step;
    return p;
}

Fetch WinogradConvolution::fetch(const MapImages& map, int64_t begin, int64_t end) const {
    if (block_tiles_ < tiles_ || begin >= end) return {};
    return {map.image(begin), (end - begin) * map.stride / sizes_.positions()};
}

Fetch WinogradConvolution::fetch_by_tile(const MapImages& map, const Block& block) const {
    return {map.image(block.begin), map.stride / tiles_};
}

void WinogradConvolution::forward(Workspace& workspace, int64_t begin, int64_t end) const {
    const MapImages &from = workspace.values[map_], &to = workspace.values[map_ + 1];
    const int64_t width = kernels_.panel_width;
    for_each_block(begin, end, [&](const Block& block) {
        const int64_t count = block.tiles();
        const Transformed input = {workspace.scratch->floats.data(), position_step(count * input_step_), input_step_,
                                   input_rows_.data()};
        const Transformed products = {input.numbers + sizes_.positions() * input.position_step,
                                      position_step(count * width), width, product_rows_.data()};
        WinogradTiles tiles;
        tiles.channels = layer_.input.channels;
        transform(block, kernels_.winograd_input, {input_.value, reads_}, input, tiles,
                  [&](int64_t i) { return from.image(i); });
        tiles.relu = layer_.relu;
        Product p = product_of(block, input, layer_.input.channels, products);
        p.fetches[0] = fetch(to, block.begin, block.end);
        p.fetches[1] = fetch(from, block.end, std::min(block.end + block_images_, end));
        for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
            tiles.channels = parameters_.columns(panel);
            tiles.bias = parameters_.bias(panel);
            p.columns = round_up(tiles.channels, kernels_.vector_width);
            p.b = parameters_.winograd_panel(panel);
            kernels_.multiply(p);
            p.fetches[0] = p.fetches[1] = {};
            transform(block, kernels_.winograd_output, {output_.value, writes_}, products, tiles,
                      [&](int64_t i) { return to.image(i) + panel * width; });
        }
    });
}

void WinogradConvolution::backward(Workspace& workspace, int64_t begin, int64_t end, float* gradient) const {
    const MapImages &from = workspace.values[map_], &gradients = workspace.gradients[map_ + 1];
    for_each_block(begin, end, [&](const Block& block) {
        // The scratch: transformed input | transformed output gradient | products with one panel | frames of the images
        const int64_t count = block.tiles();
        const Transformed input = {workspace.scratch->floats.data(), position_step(count * input_step_), input_step_,
                                   input_rows_.data()};
        const Transformed output_gradient = {input.numbers + sizes_.positions() * input.position_step,
                                             position_step(count * output_step_), output_step_, output_rows_.data()};
        float* products = output_gradient.numbers + sizes_.positions() * output_gradient.position_step;
        float* frames = products + products_size();
        WinogradTiles tiles;
        tiles.channels = layer_.output.channels;
        if (gradient != nullptr && block.begin == begin && block.first_tile == 0) tiles.fetch = fetch_by_tile(from, block);
        transform(block, kernels_.winograd_output_backward, {output_.gradient, gradient_reads_}, output_gradient, tiles,
                  [&](int64_t i) { return gradients.image(i); });
        if (gradient != nullptr) {
            tiles.channels = layer_.input.channels;
            transform(block, kernels_.winograd_input, {input_.value, reads_}, input, tiles,
                      [&](int64_t i) { return from.image(i); });
        }
        if (gradient != nullptr) {
            const Fetch next = fetch(from, block.end, std::min(block.end + block_images_, end));
            add_kernel_gradient(block, input, output_gradient, products, gradient, next);
            const bool adds_bias = layer_.has_bias && block.first_tile == 0;  // once an image, over all its pixels
            for (int64_t i = block.begin; adds_bias && i < block.end; ++i) {
                add_bias_gradient(gradients.image(i), gradient);
            }
        }
        if (!wants_input_gradient_) return;
        if (block.first_tile == 0) {
            std::memset(frames, 0, static_cast<std::size_t>((block.end - block.begin) * frame_.size()) * sizeof(float));
        }
        add_input_gradient(block, output_gradient, products, frames);
        if (block.end_tile < tiles_) return;
        for (int64_t i = block.begin; i < block.end; ++i) {
            write_from_frame(workspace, i, frames + (i - block.begin) * frame_.size());
        }
    });
}

// dW = X' dY at each position: rows are channels, columns filters, and the sum runs over the tiles. G' dW G, the
// gradient of the kernels, is then added to the shard's sums.
void WinogradConvolution::add_kernel_gradient(const Block& block, const Transformed& input,
                                              const Transformed& output_gradient, float* products,
                                              float* gradient, const Fetch& next) const {
    const int64_t width = kernels_.panel_width;
    Product p;
    p.length = block.tiles();
    p.a_step = input.tile_step;
    p.b_step = output_gradient.tile_step;
    p.c_rows = product_rows_.data();
    p.rows = layer_.input.channels;
    p.products = sizes_.positions();
    p.a = input.numbers;
    p.a_rows = channels_.data();
    p.a_product = input.position_step;
    p.b_product = output_gradient.position_step;
    p.c = products;
    p.c_product = position_step(p.rows * width);
    WinogradWeights weights;
    weights.algorithm = algorithm_;
    weights.channels = layer_.input.channels;
    weights.transformed = products;
    weights.position_step = p.c_product;
    p.fetches[0] = next;
    for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
        weights.columns = parameters_.columns(panel);
        weights.rows = gradient + panel * parameters_.panel_size();
        p.columns = round_up(weights.columns, kernels_.vector_width);
        p.b = output_gradient.numbers + panel * width;
        kernels_.multiply(p);
        p.fetches[0] = {};
        kernels_.winograd_weights_backward(weights);
    }
}

// dX = dY W' at each position, with panels of input channels. Tiles overlap, so B dX B' is added to what a frame holds.
void WinogradConvolution::add_input_gradient(const Block& block, const Transformed& output_gradient, float* products,
                                             float* frames) const {
    const int64_t width = kernels_.panel_width;
    const Transformed back = {products, position_step(block.tiles() * width), width, product_rows_.data()};
    WinogradTiles tiles;
    Product p = product_of(block, output_gradient, layer_.output.channels, back);
    for (int64_t panel = 0; panel < parameters_.transposed_panels(); ++panel) {
        p.columns = tiles.channels = std::min(width, frame_.shape.channels - panel * width);
        p.b = parameters_.winograd_transposed_panel(panel);
        kernels_.multiply(p);
        transform(block, kernels_.winograd_input_backward, {frame_, frame_offsets_}, back, tiles,
                  [&](int64_t i) { return frames + (i - block.begin) * frame_.size() + panel * width; });
    }
}

void WinogradConvolution::write_from_frame(Workspace& workspace, int64_t image, const float* frame) const {
    const Shape shape = layer_.input;
    if (frame_.shape.channels == shape.channels) {
        return write_input_gradient(workspace, image, frame + frame_.at(0, 0), frame_.row());
    }
    const float* values = workspace.values[map_].image(image);
    float* gradient = workspace.gradients[map_].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        for (int64_t x = 0; x < shape.width; ++x) {
            const float* mask = input_.relu ? values + input_.value.at(y, x) : nullptr;
            kernels_.copy_where_positive(gradient + input_.gradient.at(y, x), frame + frame_.at(y, x), mask,
                                         shape.channels);
        }
    }
}

std::unique_ptr<ChannelSums> WinogradConvolution::channel_sums() const {
    return std::make_unique<ConvolutionSums>(layer_, nullptr, map_, input_.value, output_.value, parameters_, kernels_);
}

Extents WinogradConvolution::extents() const {
    // Returns the end of a square of side x side pixels that begins at `offset`.
    const auto end_of = [](const Layout& layout, int64_t offset, int64_t side) {
        return offset + (side - 1) * layout.row() + side * layout.shape.channels;
    };
    const int64_t side = sizes_.outputs;
    return {{layer_.input, end_of(input_.value, reads_.back(), side + sizes_.kernel - 1)},
            Cells::in(output_.value, layer_.output),
            {layer_.output, end_of(output_.gradient, gradient_reads_.back(), side)},
            Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
