#include "bfloat16_dense.hpp"

#include <algorithm>

namespace convscope {

Bfloat16Dense::Bfloat16Dense(const Layer& layer, int index, std::size_t vector, const std::vector<Map>& maps,
                             Parameters& parameters, const Kernels& kernels, bool wants_input_gradient)
    : Dense(layer, index, vector, maps, parameters, kernels, wants_input_gradient) {
    parameters.keep_bfloat16(wants_input_gradient);
}

int64_t Bfloat16Dense::bfloat16_scratch_size() const {
    static_assert(slice_images <= bfloat16_rows, "a slice is one tile of rows");
    return bfloat16_rows * bfloat16_padded(std::max(parameters_.inputs(), parameters_.filters()));
}

void Bfloat16Dense::multiply(Workspace& workspace, const MapImages& from, int64_t length, int64_t begin, int64_t end,
                             Bfloat16Product product) const {
    uint16_t* rounded = workspace.scratch->bfloat16.data();
    const int64_t segment = 0;
    product.a = rounded;
    product.a_row = bfloat16_padded(length);
    product.a_segments = &segment;
    product.length = length;
    product.rows = end - begin;
    product.c_panel = kernels_.panel_width;
    for (int64_t i = 0; i < end - begin; ++i) {
        kernels_.round_to_bfloat16(from.image(begin + i), length, rounded + i * product.a_row);
    }
    kernels_.multiply_bfloat16(product);
}

void Bfloat16Dense::forward(Workspace& workspace, int64_t begin, int64_t end) const {
    const MapImages& to = workspace.values[map_ + 1];
    const auto writes = multiples<slice_images>(to.stride);
    Bfloat16Product p;
    p.b = parameters_.bfloat16().panels();
    p.b_panel = parameters_.bfloat16().panel_size();
    p.columns = parameters_.filters();
    p.c = to.image(begin);
    p.c_rows = writes.data();
    p.finish = relu_ ? Finish::bias_relu : Finish::bias;
    p.bias = parameters_.bias(0);
    p.bias_panel = parameters_.panel_size();
    multiply(workspace, workspace.values[map_], parameters_.inputs(), begin, end, p);
}

void Bfloat16Dense::backward(Workspace& workspace, int64_t begin, int64_t end, float*) const {
    if (!wants_input_gradient_) return;
    const MapImages &values = workspace.values[map_], &to = workspace.gradients[map_];
    const auto writes = multiples<slice_images>(to.stride), masks = multiples<slice_images>(values.stride);
    Bfloat16Product p;
    p.b = parameters_.bfloat16().turned_panels();
    p.b_panel = parameters_.bfloat16().turned_panel_size();
    p.columns = parameters_.inputs();
    p.c = to.image(begin);
    p.c_rows = writes.data();
    p.mask = values.image(begin);
    p.mask_rows = masks.data();
    p.finish = input_.relu ? Finish::store_where_positive : Finish::store;
    multiply(workspace, workspace.gradients[map_ + 1], parameters_.filters(), begin, end, p);
}

}  // namespace convscope
