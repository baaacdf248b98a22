#include "pooled_convolution.hpp"

#include <algorithm>
#include <cstring>

#include "channel_sums.hpp"

namespace convscope {

constexpr int64_t winograd_cells = 27;  // computed at once, three tiles of nine: their numbers stay in cache

bool PooledConvolution::fits(const Layer& convolution, const Layer& pooling) {
    const auto inside = [&](std::size_t axis, int64_t in, int64_t out) {  // no window reads padding
        return pooling.padding[axis] == 0 && (out - 1) * pooling.stride[axis] + pooling.window[axis] <= in;
    };
    return convolution.kind == Kind::convolution && convolution.has_plain_kernel() && pooling.kind == Kind::max_pooling &&
           pooling.window[0] * pooling.window[1] == 4 && inside(0, pooling.input.height, pooling.output.height) &&
           inside(1, pooling.input.width, pooling.output.width);
}

PooledConvolution::Forward PooledConvolution::choose_forward() const {
    // With fewer channels the transforms cost more than the multiplications that they save.
    if (layer_.window[0] == 3 && layer_.window[1] == 3 && layer_.stride[0] == 1 && layer_.stride[1] == 1 &&
        pooling_.window[0] == 2 && layer_.input.channels >= 8) {
        return Forward::winograd;
    }
    return map_ == 0 ? Forward::live_cells : Forward::direct;
}

PooledConvolution::KernelGradient PooledConvolution::choose_kernel_gradient() const {
    const auto kernel = layer_.window;
    const int64_t width = kernels_.vector_width, run = kernel[1] * layer_.input.channels;
    const int64_t vectors = (run + width - 1) / width;
    // AVX-512 permutes the rows of a cell, which needs a single multiply-add for each weight.
    const bool permutes = width == 16 && run + layer_.input.channels <= width && layer_.stride[0] == 1 &&
                          layer_.stride[1] == 1 && pooling_.window[0] == 2;
    if (permutes) return KernelGradient::filters;
    // Multiply-adds per cell and vector of filters. By filters: the weights at all four pixels. By runs: for each filter with
    // a gradient (about 60 %) its kernel rows as vectors, and three steps to maintain the list of such filters. With vectors
    // of 16 and a 3 x 3 kernel these are 36 and 77 for one channel, 1152 and 221 for 32 channels.
    const bool by_filters = 4.0 * static_cast<double>(kernel[0] * run) <
                            (0.6 * static_cast<double>(kernel[0] * vectors) + 3) * static_cast<double>(width);
    return by_filters ? KernelGradient::filters : KernelGradient::runs;
}

PooledConvolution::PooledConvolution(const StepContext& context, const Layer& pooling, Parameters& parameters)
    : WeightedLayer(context, parameters), pooling_(pooling), forward_(choose_forward()),
      kernel_gradient_(choose_kernel_gradient()), search_(make_search()), writes_(output_.value.offsets()) {
    const Layout spread = Convolution::gradient_layout(layer_);
    list_cells(spread);
    if (forward_ == Forward::winograd) parameters.keep_winograd(WinogradAlgorithm::f2x3);
    if (!wants_input_gradient_) return;
    const auto kernel = layer_.window;
    const bool square = kernel[0] == kernel[1] && (kernel[0] == 3 || kernel[0] == 5);
    const bool by_one = layer_.stride[0] == 1 && layer_.stride[1] == 1;
    if (square && by_one && pooling.window[0] == 2) {
        parameters.keep_back();
    } else {
        const Map unpooled = {Layout::plain(layer_.output), spread};
        unpooled_ = std::make_unique<Convolution>(StepContext{layer_, map_, input_, unpooled, kernels_, true}, parameters);
    }
}

void PooledConvolution::list_cells(const Layout& spread) {
    for (int64_t y = 0; y < pooling_.output.height; ++y) {
        for (int64_t x = 0; x < pooling_.output.width; ++x) {
            all_cells_.push_back(static_cast<int32_t>(all_cells_.size()));
            for (int64_t j = 0; j < 4; ++j) {  // pixels of the cell, row by row
                const int64_t row = y * pooling_.stride[0] + j / pooling_.window[1];
                const int64_t column = x * pooling_.stride[1] + j % pooling_.window[1];
                const int64_t offset = row * layer_.stride[0] * input_.value.row() +
                                      column * layer_.stride[1] * layer_.input.channels;
                if (j == 0) cell_offsets_.push_back(offset);
                window_[j] = offset - cell_offsets_.back();  // the same in every cell
                spread_offsets_.push_back(spread.at(row, column));
            }
        }
    }
}

CellSearch PooledConvolution::make_search() const {
    CellSearch search;
    search.input_row = input_.value.row();
    search.cell_rows = pooling_.output.height;
    search.cell_columns = pooling_.output.width;
    search.down = pooling_.stride[0] * layer_.stride[0] * input_.value.row();
    search.right = pooling_.stride[1] * layer_.stride[1] * layer_.input.channels;
    search.window_rows = (pooling_.window[0] - 1) * layer_.stride[0] + layer_.window[0];
    search.window_run = ((pooling_.window[1] - 1) * layer_.stride[1] + layer_.window[1]) * layer_.input.channels;
    return search;
}

int64_t PooledConvolution::scratch_size() const {
    if (!wants_input_gradient_) return 0;
    return unpooled_ ? Convolution::gradient_layout(layer_).size() : input_.value.size();
}

int64_t PooledConvolution::gradient_size() const {
    if (kernel_gradient_ == KernelGradient::filters) return parameters_.size();
    return (layer_.window[0] * run_stride() + 1) * layer_.output.channels;
}

int64_t PooledConvolution::forward_scratch_size() const {
    if (forward_ == Forward::live_cells) {
        const int64_t run = (search_.cell_columns - 1) * search_.right + search_.window_run;
        return search_.cell_rows * live_cells_row(run, kernels_.vector_width);
    }
    if (forward_ != Forward::winograd) return 0;
    return 16 * winograd_cells * (round_up(layer_.input.channels, kernels_.vector_width) + kernels_.panel_width);
}

void PooledConvolution::order_cells(Workspace& workspace, int64_t image) const {
    CellSearch search = search_;
    search.input = workspace.values[map_].image(image);
    search.scratch = workspace.scratch->floats.data();
    search.order = workspace.orders[map_].data() + image * order_size();
    search.order[cells()] = static_cast<int32_t>(kernels_.find_live_cells(search));
}

PooledConvolution::Order PooledConvolution::order_of(const Workspace& workspace, int64_t image) const {
    if (forward_ != Forward::live_cells) return {all_cells_.data(), cells()};
    const int32_t* order = workspace.orders[map_].data() + image * order_size();
    return {order, order[cells()]};
}

// For a group of cells and a panel of filters at a time, a product at each of the 16 positions of a transformed tile:
//
//     transformed (16, cells, tile_step)  x  weights (16, channels, panel_width)  =  products (16, cells, panel_width)
//
// `winograd_pool` turns a cell's 16 products with a filter into four outputs, and stores the largest.
void PooledConvolution::forward_by_winograd(Workspace& workspace, int64_t image) const {
    WinogradTiles tiles;  // for the transform of a group's cells
    tiles.algorithm = WinogradAlgorithm::f2x3;
    tiles.map = workspace.values[map_].image(image);
    tiles.row = input_.value.row();
    tiles.pixel = tiles.channels = layer_.input.channels;
    tiles.tile_step = round_up(tiles.channels, kernels_.vector_width);
    tiles.transformed = workspace.scratch->floats.data();
    float* products = tiles.transformed + 16 * winograd_cells * tiles.tile_step;
    WinogradCells w;  // from the products to the pooled map
    w.products = products;
    w.relu = layer_.relu;
    w.winner_row = layer_.output.channels;
    float* output = workspace.values[map_ + 1].image(image);
    int32_t* winners = workspace.winners_of(map_, image, winners_size());
    const auto reads = multiples<winograd_cells>(tiles.tile_step), writes = multiples<winograd_cells>(kernels_.panel_width);
    Product p;  // between the two, 16 at once
    p.a_rows = reads.data();
    p.b_step = kernels_.panel_width;
    p.length = tiles.channels;
    p.columns = kernels_.panel_width;  // the products are scratch, so whole rows may be written
    p.c_rows = writes.data();
    p.products = 16;
    p.a = tiles.transformed;
    p.b_product = tiles.channels * kernels_.panel_width;
    p.c = products;
    const int64_t groups = (cells() + winograd_cells - 1) / winograd_cells;
    for (int64_t group = 0; group < groups; ++group) {
        const int64_t begin = group * cells() / groups;
        w.cells = tiles.tiles = p.rows = (group + 1) * cells() / groups - begin;
        tiles.offsets = cell_offsets_.data() + begin;
        p.a_product = tiles.position_step = w.cells * tiles.tile_step;
        p.c_product = w.cells * kernels_.panel_width;
        w.output_offsets = writes_.data() + begin;
        kernels_.winograd_input(tiles);
        for (int64_t panel = 0; panel < parameters_.panels(); ++panel) {
            w.columns = parameters_.columns(panel);
            p.b = parameters_.winograd_panel(panel);
            kernels_.multiply(p);
            w.bias = parameters_.bias(panel);
            w.output = output + panel * kernels_.panel_width;
            if (winners) w.winners = winners + begin * w.winner_row + panel * kernels_.panel_width;
            kernels_.winograd_pool(w);
        }
    }
}

void PooledConvolution::forward_image(Workspace& workspace, int64_t image) const {
    forward_ == Forward::winograd ? forward_by_winograd(workspace, image) : forward_directly(workspace, image);
}

void PooledConvolution::forward_directly(Workspace& workspace, int64_t image) const {
    constexpr int64_t cells_at_once = 128;  // their inputs stay in cache while all panels are multiplied
    Product p;
    p.a = workspace.values[map_].image(image);  // A: the map, in four windows for each cell
    p.a_rows = cell_offsets_.data();
    std::copy(window_, window_ + 4, p.window);
    p.a_segment = input_.value.row();
    p.segments = layer_.window[0];
    p.length = layer_.window[1] * layer_.input.channels;
    p.b = parameters_.panel(0);  // B: the weights
    p.b_panel = parameters_.panel_size();
    p.b_step = kernels_.panel_width;
    p.b_segment = p.length * p.b_step;
    p.bias = parameters_.bias(0);
    p.columns = parameters_.filters();
    p.finish = layer_.relu ? Finish::pool_relu : Finish::pool;
    p.c = workspace.values[map_ + 1].image(image);  // C: the pooled map
    p.c_rows = writes_.data();
    p.winners = workspace.winners_of(map_, image, winners_size());
    p.winner_row = layer_.output.channels;
    if (forward_ == Forward::live_cells) order_cells(workspace, image);
    const Order order = order_of(workspace, image);
    for (int64_t begin = 0; begin < order.live; begin += cells_at_once) {
        p.rows = std::min(cells_at_once, order.live - begin);
        p.order = order.cells + begin;
        kernels_.multiply(p);
    }
    p.segments = 0;  // the other cells read only zeros: their output follows from the bias alone
    // The kernel gradient skips these cells, so it needs no winners of them.
    if (kernel_gradient_ == KernelGradient::filters && !wants_input_gradient_) p.winners = nullptr;
    p.rows = cells() - order.live;
    p.order = order.cells + order.live;
    kernels_.multiply(p);
}

// The kernel gradient, then the input gradient, each in the way that the constructor chose. `gradient` is the layer's
// part of the shard's sums: in the layout of Parameters, or by runs (see `collect`), with the biases after the weights
// of all filters.
void PooledConvolution::backward_image(Workspace& workspace, int64_t image, float* gradient) const {
    WinnersImage p;
    p.input = workspace.values[map_].image(image);
    p.input_row = input_.value.row();
    p.gradient = workspace.gradients[map_ + 1].image(image);
    p.winners = workspace.winners[map_].data() + image * winners_size();
    p.cells = cells();
    p.cell_offsets = cell_offsets_.data();
    std::copy(window_, window_ + 4, p.window);
    p.filters = layer_.output.channels;
    p.channels = layer_.input.channels;
    p.kernel_rows = layer_.window[0];
    p.run = layer_.window[1] * layer_.input.channels;
    p.won = workspace.scratch->won.data();
    p.kernel = gradient;
    if (gradient == nullptr) {
        // the plan computes no gradients of weights
    } else if (kernel_gradient_ == KernelGradient::filters) {
        const Order order = order_of(workspace, image);
        p.live = order.cells;
        p.live_cells = order.live;
        kernels_.winners_kernel_by_filters(p);
    } else {
        p.bias = gradient + p.kernel_rows * run_stride() * p.filters;
        kernels_.winners_kernel_by_runs(p);
    }
    if (!wants_input_gradient_) return;
    if (unpooled_) {
        spread_and_multiply(workspace, image);
        return;
    }
    // Windows reach into the padding, so the gradient is summed in a map with padding, whose inside is then copied.
    float* scratch = workspace.scratch->floats.data();
    std::memset(scratch, 0, static_cast<std::size_t>(input_.value.size()) * sizeof(float));
    p.back = parameters_.back();
    p.input_gradient = scratch;
    kernels_.winners_input(p);
    write_input_gradient(workspace, image, scratch + input_.value.at(0, 0), input_.value.row());
}

// Each cell's gradient goes to the pixel that won, in a map of zeros with the layout of an unpooled convolution's
// output.
void PooledConvolution::spread_and_multiply(Workspace& workspace, int64_t image) const {
    const int64_t filters = layer_.output.channels;
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    const int32_t* winners = workspace.winners[map_].data() + image * winners_size();
    float* scratch = workspace.scratch->floats.data();
    std::memset(scratch, 0, static_cast<std::size_t>(scratch_size()) * sizeof(float));
    for (int64_t cell = 0; cell < cells(); ++cell) {
        for (int64_t filter = 0; filter < filters; ++filter) {
            const int64_t at = cell * filters + filter;
            scratch[spread_offsets_[static_cast<std::size_t>(cell * 4 + winners[at])] + filter] += gradient[at];
        }
    }
    unpooled_->input_gradient(workspace, image, scratch);
}

// Adds the shards, and brings sums by runs to a panel's layout. Of filters a and b with two runs of 3, rounded up to 4:
//
//     a shard:  a0 a1 a2 -  a3 a4 a5 -  b0 b1 b2 -  b3 b4 b5 -  biases of a and b
//     a panel:  a0 b0  a1 b1  a2 b2  a3 b3  a4 b4  a5 b5  biases of a and b
//
// A piece is the part of a run in the wanted weights, [begin, end) of the panel's rows, or 64 of it.
void PooledConvolution::collect(const Batch& batch, int64_t images, int64_t offset, int64_t panel, int64_t begin,
                                int64_t end, float* total) const {
    if (kernel_gradient_ == KernelGradient::filters) {
        return WeightedLayer::collect(batch, images, offset, panel, begin, end, total);
    }
    const int64_t width = kernels_.panel_width, run = this->run();
    const int64_t kernel_size = layer_.window[0] * run_stride(), inputs = parameters_.inputs();
    const int64_t end_of_weights = std::min(end, inputs), biases = offset + kernel_size * layer_.output.channels;
    constexpr int64_t max_piece = 64;
    float sums[max_piece];
    std::fill(total, total + (end - begin) * width, 0.0f);
    for (int64_t column = 0; column < parameters_.columns(panel); ++column) {
        const int64_t filter = panel * width + column;
        for (int64_t weight = begin, piece; weight < end_of_weights; weight += piece) {
            const int64_t r = weight / run, i = weight % run;
            piece = std::min({end_of_weights - weight, run - i, max_piece});
            add_shards(batch.shards, offset + filter * kernel_size + r * run_stride() + i, piece, kernels_, sums);
            for (int64_t k = 0; k < piece; ++k) total[(weight + k - begin) * width + column] = sums[k];
        }
        if (end > inputs) add_shards(batch.shards, biases + filter, 1, kernels_, total + (inputs - begin) * width + column);
    }
}

std::unique_ptr<ChannelSums> PooledConvolution::channel_sums() const {
    return std::make_unique<ConvolutionSums>(layer_, &pooling_, map_, input_.value, output_.value, parameters_, kernels_);
}

Extents PooledConvolution::extents() const {
    const Shape pooled = {search_.cell_rows, search_.cell_columns, layer_.output.channels};
    const int64_t last_offset = cell_offsets_.back() + window_[3];
    const int64_t window = (layer_.window[0] - 1) * input_.value.row() + layer_.window[1] * layer_.input.channels;
    return {{layer_.input, last_offset + window},
            Cells::in(output_.value, pooled), Cells::plainly(pooled), Cells::in(input_.gradient, layer_.input)};
}

}  // namespace convscope
