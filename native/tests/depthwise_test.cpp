// Depthwise convolution and its two gradients, against the same sums in plain loops.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr float before = 0.5;  // the value to which the gradients are added

struct Case {
    int64_t channels, multiplier, rows, columns, stride_down, stride_right, out_rows, out_columns;
    int64_t row_dilation = 1, column_dilation = 1;
};

// A map with one more row and column than the windows read. A cell is an output pixel.
struct Depthwise {
    Depthwise(const Kernels& kernels, const Case& c, Random& random)
        : shape(c), outputs(c.channels * c.multiplier), cells(c.out_rows * c.out_columns), panel(kernels.panel_width) {
        image.input_row = ((c.out_columns - 1) * c.stride_right + c.columns * c.column_dilation + 1) * c.channels;
        image.channels = c.channels;
        image.outputs = outputs;
        image.out_rows = c.out_rows;
        image.out_columns = c.out_columns;
        image.size[0] = c.rows, image.size[1] = c.columns;
        image.stride[0] = c.stride_down, image.stride[1] = c.stride_right;
        image.kernel_row = c.row_dilation * image.input_row, image.kernel_column = c.column_dilation * c.channels;
        image.panel_size = (c.rows * c.columns + 1) * panel;
        if (c.multiplier > 1) {
            for (int64_t o = 0; o < round_up(outputs, kernels.vector_width); ++o) {
                sources.push_back(o < outputs ? o / c.multiplier : 0);
            }
            image.sources = sources.data();
        }
        input_size = ((c.out_rows - 1) * c.stride_down + c.rows * c.row_dilation + 1) * image.input_row;
        weights_size = (outputs + panel - 1) / panel * image.panel_size;
        input = random.numbers(input_size);
        weights = random.numbers(weights_size);
        gradient = random.numbers(cells * outputs);
        image.input = input.data();
        image.weights = weights.data();
    }

    // Return the input offset that output `o` of a cell reads at a tap of the kernel, and the offset of its weight
    // there. The tap after the last is the bias.
    int64_t input_offset(int64_t cell, int64_t tap, int64_t o) const {
        const int64_t row = cell / shape.out_columns * shape.stride_down + tap / shape.columns * shape.row_dilation;
        const int64_t column =
            cell % shape.out_columns * shape.stride_right + tap % shape.columns * shape.column_dilation;
        return row * image.input_row + column * shape.channels + o / shape.multiplier;
    }
    int64_t weight_offset(int64_t tap, int64_t o) const {
        return o / panel * image.panel_size + tap * panel + o % panel;
    }
    int64_t kernel_size() const { return shape.rows * shape.columns; }

    Case shape;
    DepthwiseImage image;
    int64_t outputs, cells, panel, input_size = 0, weights_size = 0;
    std::vector<int64_t> sources;
    Buffer<float> input, weights, gradient;
};

std::vector<Case> cases(const Kernels& kernels) {
    const int64_t width = kernels.vector_width, panel = kernels.panel_width;
    // See `Case`: channels, multiplier, rows and columns of the kernel, strides, rows and columns of the output,
    // dilations.
    std::vector<Case> cases = {{1, 1, 1, 1, 1, 1, 1, 1},       {3, 1, 3, 3, 1, 1, 4, 5},
                               {5, 3, 2, 4, 2, 1, 3, 2},       {1, panel + 3, 3, 3, 1, 1, 3, 3},
                               {3, 2, 5, 5, 1, 3, 2, 2},       {2, width, 1, 3, 3, 2, 2, 4},
                               {5, 1, 3, 2, 1, 1, 3, 4, 2, 3}, {3, 2, 2, 3, 2, 1, 2, 3, 1, 4}};
    for (int64_t channels : {width - 1, width, width + 1, panel - 1, panel, panel + 1, 2 * panel + width + 2}) {
        cases.push_back({channels, 1, 3, 3, 1, 1, 3, 4});
        cases.push_back({channels, 1, 2, 3, 2, 2, 3, 2});
        cases.push_back({channels, 2, 3, 2, 1, 2, 2, 3});
    }
    return cases;
}

}  // namespace

TEST(a_depthwise_convolution_matches_its_formula) {
    Random random(51);
    for (const Case& c : cases(kernels)) {
        for (bool relu : {false, true}) {
            Depthwise d(kernels, c, random);
            std::vector<int64_t> offsets;
            for (int64_t cell = d.cells; cell-- > 0;) offsets.push_back(cell * (d.outputs + 1));
            Buffer<float> output = plain_buffer<float>(d.cells * (d.outputs + 1));
            std::fill(output.begin(), output.end(), untouched);
            d.image.relu = relu;
            d.image.output = output.data();
            d.image.output_offsets = offsets.data();
            kernels.depthwise(d.image);
            for (int64_t cell = 0; cell < d.cells; ++cell) {
                const float* got = output.data() + offsets[static_cast<std::size_t>(cell)];
                for (int64_t o = 0; o < d.outputs; ++o) {
                    double sum = static_cast<double>(d.image.weights[d.weight_offset(d.kernel_size(), o)]);
                    for (int64_t tap = 0; tap < d.kernel_size(); ++tap) {
                        sum += static_cast<double>(d.image.input[d.input_offset(cell, tap, o)]) *
                               static_cast<double>(d.image.weights[d.weight_offset(tap, o)]);
                    }
                    CHECK_NEAR(static_cast<double>(got[o]), relu ? std::max(sum, 0.0) : sum, 5e-6);
                }
                CHECK(got[d.outputs] == untouched);
            }
        }
    }
}

TEST(the_depthwise_gradient_with_respect_to_kernel_and_bias_matches_its_formula) {
    Random random(52);
    for (const Case& c : cases(kernels)) {
        Depthwise d(kernels, c, random);
        Buffer<float> sums = plain_buffer<float>(d.weights_size);
        std::fill(sums.begin(), sums.end(), before);
        std::vector<double> wanted(sums.begin(), sums.end());
        d.image.gradient = d.gradient.data();
        d.image.kernel_gradient = sums.data();
        kernels.depthwise_kernel(d.image);
        for (int64_t cell = 0; cell < d.cells; ++cell) {
            for (int64_t o = 0; o < d.outputs; ++o) {
                const double gradient = static_cast<double>(d.image.gradient[cell * d.outputs + o]);
                for (int64_t tap = 0; tap < d.kernel_size(); ++tap) {
                    wanted[static_cast<std::size_t>(d.weight_offset(tap, o))] +=
                        gradient * static_cast<double>(d.image.input[d.input_offset(cell, tap, o)]);
                }
                wanted[static_cast<std::size_t>(d.weight_offset(d.kernel_size(), o))] += gradient;
            }
        }
        // Columns after the last output are unchanged.
        for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 5e-6);
    }
}

TEST(the_depthwise_gradient_with_respect_to_the_input_matches_its_formula) {
    Random random(53);
    for (const Case& c : cases(kernels)) {
        Depthwise d(kernels, c, random);
        Buffer<float> sums = plain_buffer<float>(d.input_size);
        std::fill(sums.begin(), sums.end(), before);
        std::vector<double> wanted(sums.begin(), sums.end());
        d.image.gradient = d.gradient.data();
        d.image.input_gradient = sums.data();
        kernels.depthwise_input(d.image);
        for (int64_t cell = 0; cell < d.cells; ++cell) {
            for (int64_t o = 0; o < d.outputs; ++o) {
                for (int64_t tap = 0; tap < d.kernel_size(); ++tap) {
                    wanted[static_cast<std::size_t>(d.input_offset(cell, tap, o))] +=
                        static_cast<double>(d.image.gradient[cell * d.outputs + o]) *
                        static_cast<double>(d.image.weights[d.weight_offset(tap, o)]);
                }
            }
        }
        // The gradient of pixels that no window reads is unchanged.
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 1e-5 * static_cast<double>(c.multiplier));
        }
    }
}

}  // namespace convscope::test
