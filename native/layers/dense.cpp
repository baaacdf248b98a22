#include "dense.hpp"

#include "channel_sums.hpp"

namespace convscope {

Dense::Dense(const StepContext& context, Parameters& parameters, std::size_t vector)
    : MapLayer(context), parameters_(parameters), vector_(vector) {
    if (wants_input_gradient_) parameters.keep_transposed();
}

void Dense::forward(Workspace& workspace, int64_t begin, int64_t end) const {
    const MapImages &from = workspace.values[map_], &to = workspace.values[map_ + 1];
    const auto reads = multiples<slice_images>(from.stride), writes = multiples<slice_images>(to.stride);
    Product p;
    p.a = from.image(begin);
    p.a_rows = reads.data();
    p.b_step = kernels_.panel_width;
    p.length = parameters_.inputs();
    p.rows = end - begin;
    p.columns = round_up(parameters_.filters(), kernels_.vector_width);  // rows have space for whole registers
    p.b = parameters_.panel(0);
    p.b_panel = parameters_.panel_size();
    p.bias = parameters_.bias(0);
    p.c = to.image(begin);
    p.c_rows = writes.data();
    p.finish = layer_.relu ? Finish::bias_relu : Finish::bias;
    kernels_.multiply(p);
}

void Dense::backward(Workspace& workspace, int64_t begin, int64_t end, float*) const {
    if (!wants_input_gradient_) return;
    const MapImages &values = workspace.values[map_], &from = workspace.gradients[map_ + 1];
    const MapImages& to = workspace.gradients[map_];
    const auto reads = multiples<slice_images>(from.stride), writes = multiples<slice_images>(to.stride);
    const auto masks = multiples<slice_images>(values.stride);
    Product p;
    p.a = from.image(begin);
    p.a_rows = reads.data();
    p.b_step = kernels_.panel_width;
    p.length = parameters_.filters();
    p.rows = end - begin;
    p.columns = round_up(parameters_.inputs(), kernels_.vector_width);
    p.b = parameters_.transposed_panel(0);
    p.b_panel = parameters_.transposed_rows() * kernels_.panel_width;
    p.c = to.image(begin);
    p.c_rows = writes.data();
    p.mask = values.image(begin);
    p.mask_rows = masks.data();
    p.finish = input_.relu ? Finish::store_where_positive : Finish::store;
    kernels_.multiply(p);
}

void Dense::collect(const Batch& batch, int64_t images, int64_t, int64_t panel, int64_t begin, int64_t end,
                    float* total) const {
    const int64_t width = kernels_.panel_width;
    const auto reads = multiples<block_rows>(1), writes = multiples<block_rows>(width);
    Product p;  // row m is the weights of input begin + m, and the sum runs over the images
    p.a = batch.values[vector_].data() + begin;
    p.a_rows = reads.data();
    p.a_step = batch.strides[vector_];
    p.b = batch.gradients[vector_ + 1].data() + panel * width;
    p.b_step = batch.strides[vector_ + 1];
    p.length = images;
    p.rows = std::min(end, parameters_.inputs()) - begin;
    p.columns = width;
    p.c = total;
    p.c_rows = writes.data();
    kernels_.multiply(p);
    if (end > parameters_.inputs()) {  // the bias is the weight of a constant input of 1
        const float unit = 1;
        p.c = total + p.rows * width;
        p.a = &unit;
        p.a_step = 0;
        p.rows = 1;
        kernels_.multiply(p);
    }
}

std::unique_ptr<ChannelSums> Dense::channel_sums() const {
    return std::make_unique<DenseSums>(layer_.relu, map_, input_.value.shape, parameters_, kernels_);
}

Extents Dense::extents() const {
    const int64_t inputs = parameters_.inputs(), filters = parameters_.filters();
    const auto in_vectors = [this](int64_t count) {  // the product writes whole registers
        Cells cells = Cells::vector(count);
        cells.end = round_up(count, kernels_.vector_width);
        return cells;
    };
    return {Cells::vector(inputs), in_vectors(filters), Cells::vector(filters), in_vectors(inputs)};
}

}  // namespace convscope
