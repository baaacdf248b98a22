#include "joining.hpp"

namespace convscope {

void Joining::take_channels(const Workspace& workspace, int64_t image, int64_t y, int64_t first, int64_t count,
                            const float* mask, float* row) const {
    const Shape shape = output_.value.shape;
    const float* from = workspace.gradients[map_ + 1].image(image);
    if (count == shape.channels) {
        kernels_.copy_where_positive(row, from + output_.gradient.at(y, 0), mask, shape.width * count);
        return;
    }
    for (int64_t x = 0; x < shape.width; ++x) {
        const float* pixel = from + output_.gradient.at(y, x) + first;
        kernels_.copy_where_positive(row + x * count, pixel, mask == nullptr ? nullptr : mask + x * count, count);
    }
}

const float* Joining::earlier_gradient_row(const Workspace& workspace, int64_t image, int64_t y,
                                           const float* mask) const {
    // A row of the output's gradient is added as it is if all its channels are the earlier map's and no relu masks them.
    const int64_t channels = earlier_.value.shape.channels;
    if (mask == nullptr && channels == output_.value.shape.channels) {
        return workspace.gradients[map_ + 1].image(image) + output_.gradient.at(y, 0);
    }
    float* copy = workspace.scratch->floats.data();
    take_channels(workspace, image, y, 0, channels, mask, copy);
    return copy;
}

void Joining::add_to_earlier(Workspace& workspace, int64_t begin, int64_t end) const {
    const Shape shape = earlier_.value.shape;
    // Pixels of the earlier gradient that are contiguous: a row, or one if a stride leaves zeros between pixels.
    const int64_t run = earlier_.gradient.step[1] == 1 ? shape.width : 1;
    for (int64_t image = begin; image < end; ++image) {
        const float* values = workspace.values[earlier_map_].image(image);
        float* gradient = workspace.gradients[earlier_map_].image(image);
        for (int64_t y = 0; y < shape.height; ++y) {
            const float* mask = earlier_.relu ? values + earlier_.value.at(y, 0) : nullptr;
            const float* row = earlier_gradient_row(workspace, image, y, mask);
            for (int64_t x = 0; x < shape.width; x += run) {
                kernels_.add(gradient + earlier_.gradient.at(y, x), row + x * shape.channels, run * shape.channels);
            }
        }
    }
}

Extents Joining::extents() const {
    const Shape input = input_.value.shape, output = output_.value.shape, earlier = earlier_.value.shape;
    return {Cells::in(input_.value, input), Cells::in(output_.value, output), Cells::in(output_.gradient, output),
            Cells::in(input_.gradient, input), earlier_map_, Cells::in(earlier_.value, earlier),
            Cells::in(earlier_.gradient, earlier)};
}

void Addition::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const int64_t row = shape.width * shape.channels;
    const float *x = workspace.values[map_].image(image), *earlier = workspace.values[earlier_map_].image(image);
    float *output = workspace.values[map_ + 1].image(image), *sums = workspace.scratch->floats.data();
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        float* sum = layer_.relu ? sums : to;
        kernels_.add_scaled(sum, x + input_.value.at(y, 0), earlier + earlier_.value.at(y, 0), 1, row);
        if (layer_.relu) kernels_.copy_where_positive(to, sums, sums, row);  // max(sums, 0)
    }
}

void Addition::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    write_input_gradient(workspace, image, gradient + output_.gradient.at(0, 0), output_.gradient.row());
}

void Multiplication::forward_image(Workspace& workspace, int64_t image) const {
    const float* earlier = workspace.values[earlier_map_].image(image);
    float *output = workspace.values[map_ + 1].image(image), *zeros = workspace.scratch->floats.data();
    std::fill_n(zeros, Joining::scratch_size(), 0.0f);
    for (int64_t y = 0; y < output_.value.shape.height; ++y) {
        kernels_.scale_channels(earlier + earlier_.value.at(y, 0), pixels() * channels(), channels(),
                                factors(workspace, image, y), zeros, false, output + output_.value.at(y, 0));
    }
}

// The gradient with respect to the previous map: dy times the earlier map, of one pixel summed over all.
void Multiplication::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const float *x = workspace.values[map_].image(image), *earlier = workspace.values[earlier_map_].image(image);
    const float* gradient = workspace.gradients[map_ + 1].image(image);
    // Their means are taken as zero, and the sums of dy are not used.
    float *zeros = workspace.scratch->floats.data(), *sums = zeros + row(), *unused = sums + row();
    std::fill_n(zeros, 3 * row(), 0.0f);
    Maps maps;
    maps.pixels = pixels();
    maps.channels = channels();
    for (int64_t y = 0; y < output_.value.shape.height; ++y) {
        kernels_.channel_products(earlier + earlier_.value.at(y, 0), gradient + output_.gradient.at(y, 0), maps, zeros, sums,
                                  unused);
        if (has_one_pixel()) continue;
        write_gradient_row(kernels_, sums, input_, x, y, workspace.gradients[map_].image(image));
        std::fill_n(sums, row(), 0.0f);
    }
    if (has_one_pixel()) write_input_gradient(workspace, image, sums, 0);
}

const float* Multiplication::earlier_gradient_row(const Workspace& workspace, int64_t image, int64_t y,
                                                  const float* mask) const {
    const float* gradient = workspace.gradients[map_ + 1].image(image) + output_.gradient.at(y, 0);
    float *zeros = workspace.scratch->floats.data(), *products = zeros + row(), *masked = products + row();
    std::fill_n(zeros, row(), 0.0f);
    kernels_.scale_channels(gradient, pixels() * channels(), channels(), factors(workspace, image, y), zeros, false, products);
    if (mask == nullptr) return products;
    kernels_.copy_where_positive(masked, products, mask, Joining::scratch_size());
    return masked;
}

void Concatenation::forward_image(Workspace& workspace, int64_t image) const {
    const Shape shape = output_.value.shape;
    const int64_t first = earlier_.value.shape.channels, own = own_channels();
    const float *x = workspace.values[map_].image(image), *earlier = workspace.values[earlier_map_].image(image);
    float* output = workspace.values[map_ + 1].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        float* to = output + output_.value.at(y, 0);
        const float* from = earlier + earlier_.value.at(y, 0);
        if (own == 0) {
            std::copy(from, from + shape.width * first, to);
            continue;
        }
        const float* own_pixel = x + input_.value.at(y, 0);
        for (int64_t column = 0; column < shape.width; ++column, from += first, own_pixel += own, to += shape.channels) {
            std::copy(from, from + first, to);
            std::copy(own_pixel, own_pixel + own, to + first);
        }
    }
}

void Concatenation::backward_image(Workspace& workspace, int64_t image, float*) const {
    if (!wants_input_gradient_) return;
    const Shape shape = input_.value.shape;
    const int64_t own = own_channels();
    float* row = workspace.scratch->floats.data();
    if (own == 0) {
        std::fill_n(row, shape.width * shape.channels, 0.0f);
        return write_input_gradient(workspace, image, row, 0);  // 0 numbers from row to row: each is this one
    }
    const float* values = workspace.values[map_].image(image);
    for (int64_t y = 0; y < shape.height; ++y) {
        take_channels(workspace, image, y, earlier_.value.shape.channels, own, nullptr, row);
        write_gradient_row(kernels_, row, input_, values, y, workspace.gradients[map_].image(image));
    }
}

}  // namespace convscope
