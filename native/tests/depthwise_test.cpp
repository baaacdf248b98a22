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
    Depthwise(const Kernels& kernels, const Case& sizes, Random& random)
        : shape(sizes),
          outputs(sizes.channels * sizes.multiplier),
          cells(sizes.out_rows * sizes.out_columns),
          panel(kernels.panel_width) {
        image.input_row =
            ((sizes.out_columns - 1) * sizes.stride_right + sizes.columns * sizes.column_dilation + 1) * sizes.channels;
        image.channels = sizes.channels;
        image.outputs = outputs;
        image.out_rows = sizes.out_rows;
        image.out_columns = sizes.out_columns;
        image.size[0] = sizes.rows, image.size[1] = sizes.columns;
        image.stride[0] = sizes.stride_down, image.stride[1] = sizes.stride_right;
        image.kernel_row = sizes.row_dilation * image.input_row,
        image.kernel_column = sizes.column_dilation * sizes.channels;
        image.panel_size = (sizes.rows * sizes.columns + 1) * panel;
        if (sizes.multiplier > 1) {
            for (int64_t o = 0; o < round_up(outputs, kernels.vector_width); ++o) {
                sources.push_back(o < outputs ? o / sizes.multiplier : 0);
            }
            image.sources = sources.data();
        }
        input_size = ((sizes.out_rows - 1) * sizes.stride_down + sizes.rows * sizes.row_dilation + 1) * image.input_row;
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
                               {5, 1, 3, 2, 1, 1, 3, 4, 2, 3}, {3, 2, 2, 3, 2, 1, 2, 3, 1, 4},
                               {width + 1, 1, 5, 5, 1, 1, 2, 9}, {2, 1, 1, 5, 2, 1, 2, 3},
                               {2, 1, 4, 3, 1, 1, 1, 1}};
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
    for (const Case& sizes : cases(kernels)) {
        for (bool relu : {false, true}) {
            Depthwise convolution(kernels, sizes, random);
            std::vector<int64_t> offsets;
            for (int64_t cell = convolution.cells; cell-- > 0;) offsets.push_back(cell * (convolution.outputs + 1));
            Buffer<float> output = plain_buffer<float>(convolution.cells * (convolution.outputs + 1));
            std::fill(output.begin(), output.end(), untouched);
            convolution.image.relu = relu;
            convolution.image.output = output.data();
            convolution.image.output_offsets = offsets.data();
            kernels.depthwise(convolution.image);
            for (int64_t cell = 0; cell < convolution.cells; ++cell) {
                const float* got = output.data() + offsets[static_cast<std::size_t>(cell)];
                for (int64_t o = 0; o < convolution.outputs; ++o) {
                    double sum = static_cast<double>(
                        convolution.image.weights[convolution.weight_offset(convolution.kernel_size(), o)]);
                    for (int64_t tap = 0; tap < convolution.kernel_size(); ++tap) {
                        sum += static_cast<double>(convolution.image.input[convolution.input_offset(cell, tap, o)]) *
                               static_cast<double>(convolution.image.weights[convolution.weight_offset(tap, o)]);
                    }
                    CHECK_NEAR(static_cast<double>(got[o]), relu ? std::max(sum, 0.0) : sum, 5e-6);
                }
                CHECK(got[convolution.outputs] == untouched);
            }
        }
    }
}

TEST(the_depthwise_gradient_with_respect_to_kernel_and_bias_matches_its_formula) {
    Random random(52);
    for (const Case& sizes : cases(kernels)) {
        Depthwise convolution(kernels, sizes, random);
        Buffer<float> sums = plain_buffer<float>(convolution.weights_size);
        std::fill(sums.begin(), sums.end(), before);
        std::vector<double> wanted(sums.begin(), sums.end());
        convolution.image.gradient = convolution.gradient.data();
        convolution.image.kernel_gradient = sums.data();
        kernels.depthwise_kernel(convolution.image);
        for (int64_t cell = 0; cell < convolution.cells; ++cell) {
            for (int64_t o = 0; o < convolution.outputs; ++o) {
                const double gradient = static_cast<double>(convolution.image.gradient[cell * convolution.outputs + o]);
                for (int64_t tap = 0; tap < convolution.kernel_size(); ++tap) {
                    wanted[static_cast<std::size_t>(convolution.weight_offset(tap, o))] +=
                        gradient * static_cast<double>(convolution.image.input[convolution.input_offset(cell, tap, o)]);
                }
                wanted[static_cast<std::size_t>(convolution.weight_offset(convolution.kernel_size(), o))] += gradient;
            }
        }
        // Columns after the last output are unchanged.
        for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 5e-6);
    }
}

TEST(the_depthwise_gradient_with_respect_to_the_input_matches_its_formula) {
    Random random(53);
    for (const Case& sizes : cases(kernels)) {
        Depthwise convolution(kernels, sizes, random);
        Buffer<float> sums = plain_buffer<float>(convolution.input_size);
        std::vector<double> wanted(sums.begin(), sums.end());
        convolution.image.gradient = convolution.gradient.data();
        convolution.image.input_gradient = sums.data();
        kernels.depthwise_input(convolution.image);
        for (int64_t cell = 0; cell < convolution.cells; ++cell) {
            for (int64_t o = 0; o < convolution.outputs; ++o) {
                for (int64_t tap = 0; tap < convolution.kernel_size(); ++tap) {
                    wanted[static_cast<std::size_t>(convolution.input_offset(cell, tap, o))] +=
                        static_cast<double>(convolution.image.gradient[cell * convolution.outputs + o]) *
                        static_cast<double>(convolution.image.weights[convolution.weight_offset(tap, o)]);
                }
            }
        }
        // The gradient of pixels that no window reads stays zero.
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 1e-5 * static_cast<double>(sizes.multiplier));
        }
    }
}

}  // namespace convscope::test
