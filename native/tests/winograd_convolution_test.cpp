// Winograd's convolution of a tile, Y = A^T [sum over channels of (G g G^T) . (B^T x B)] A, where . multiplies number
// by number: x is the input tile, g the kernel, and kernels/winograd_transforms.hpp has the matrices. The tests compare
// Y with the direct convolution in double, check that each transform of the backward pass is the transpose of one of
// the forward pass, and check which algorithm a convolution gets.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "layers/winograd_algorithm.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr WinogradAlgorithm algorithms[] = {WinogradAlgorithm::f2x3, WinogradAlgorithm::f4x3, WinogradAlgorithm::f2x5,
                                            WinogradAlgorithm::f4x5};

// The allowed error, as a share of the sum of the absolute products: three to seven times the errors measured in
// float32, which were 0.3e-6, 1.3e-6, 1.5e-6 and 6e-6 in the order of `algorithms`.
double tolerance(WinogradAlgorithm algorithm) {
    if (algorithm == WinogradAlgorithm::f2x3) return 2e-6;
    return algorithm == WinogradAlgorithm::f4x5 ? 2e-5 : 5e-6;
}

double dot(const Buffer<float>& a, const Buffer<float>& b, int64_t count) {
    double sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
}

// A row of `count` tiles of a map. The map has 3 unused numbers after each pixel, to find wrong offsets.
struct Tiles {
    Tiles(WinogradAlgorithm algorithm, int64_t channels, int64_t count, const Kernels& kernels)
        : sizes(winograd_sizes(algorithm)) {
        p.algorithm = algorithm;
        p.tiles = count;
        p.channels = channels;
        p.pixel = round_up(channels, kernels.vector_width) + 3;
        p.row = (count * sizes.outputs + sizes.kernel - 1) * p.pixel;
        p.tile_step = round_up(channels, kernels.vector_width);
        p.position_step = count * p.tile_step + 16;  // 16 unused numbers
        for (int64_t tile = 0; tile < count; ++tile) offsets.push_back(tile * sizes.outputs * p.pixel);
        map = plain_buffer<float>(sizes.points() * p.row);
        transformed = plain_buffer<float>(sizes.positions() * p.position_step);
        p.offsets = offsets.data();
        p.map = map.data();
        p.transformed = transformed.data();
    }
    float& pixel(int64_t row, int64_t column, int64_t channel) {
        return p.map[row * p.row + column * p.pixel + channel];
    }
    float& number(int64_t position, int64_t tile, int64_t channel) {
        return p.transformed[position * p.position_step + tile * p.tile_step + channel];
    }

    WinogradSizes sizes;
    WinogradTiles p;
    std::vector<int64_t> offsets;
    Buffer<float> map, transformed;
};

// Write random numbers to the pixels of the map, or to the matrices. The numbers between them stay 0, so that `dot` may
// multiply whole arrays.
void fill_map(Tiles& tiles, int64_t rows, Random& random) {
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < tiles.p.row / tiles.p.pixel; ++column) {
            for (int64_t c = 0; c < tiles.p.channels; ++c) tiles.pixel(row, column, c) = random.number();
        }
    }
}
void fill_transformed(Tiles& tiles, Random& random) {
    for (int64_t position = 0; position < tiles.sizes.positions(); ++position) {
        for (int64_t tile = 0; tile < tiles.p.tiles; ++tile) {
            for (int64_t c = 0; c < tiles.p.channels; ++c) tiles.number(position, tile, c) = random.number();
        }
    }
}

// output(position, tile, f) = sum over channels c of input(position, tile, c) matrices(position, c, f), in double.
void multiply_slowly(Tiles& input, const Buffer<float>& matrices, Tiles& output) {
    const int64_t panel = static_cast<int64_t>(matrices.size() - slack) / (input.sizes.positions() * input.p.channels);
    for (int64_t position = 0; position < input.sizes.positions(); ++position) {
        for (int64_t tile = 0; tile < input.p.tiles; ++tile) {
            for (int64_t f = 0; f < output.p.channels; ++f) {
                double sum = 0;
                for (int64_t c = 0; c < input.p.channels; ++c) {
                    const auto weight = static_cast<std::size_t>((position * input.p.channels + c) * panel + f);
                    sum += static_cast<double>(input.number(position, tile, c)) * static_cast<double>(matrices[weight]);
                }
                output.number(position, tile, f) = static_cast<float>(sum);
            }
        }
    }
}

// A sum of products, and the sum of their absolute values.
struct Sum {
    double value = 0, size = 0;
};

// Returns output (y, x) of filter f by the definition of a convolution, without bias.
Sum convolve_slowly(Tiles& input, const Buffer<float>& weights, int64_t panel, int64_t y, int64_t x, int64_t f) {
    const int64_t side = input.sizes.kernel, channels = input.p.channels;
    Sum sum;
    // The rows of the weights are (kernel row, kernel column, channel).
    for (int64_t row = 0; row < side * side * channels; ++row) {
        const int64_t tap = row / channels;
        const double pixel = static_cast<double>(input.pixel(y + tap / side, x + tap % side, row % channels));
        const double product = pixel * static_cast<double>(weights[static_cast<std::size_t>(row * panel + f)]);
        sum.value += product;
        sum.size += std::fabs(product);
    }
    return sum;
}

std::vector<int64_t> channel_counts(const Kernels& kernels) {
    return {1, kernels.vector_width - 1, kernels.vector_width, 2 * kernels.vector_width + 3};
}

}  // namespace

TEST(a_winograd_tile_equals_the_direct_convolution) {
    Random random(71);
    const int64_t count = 3, panel = kernels.panel_width;
    for (WinogradAlgorithm algorithm : algorithms) {
        for (int64_t channels : channel_counts(kernels)) {
            for (int64_t columns : {int64_t{1}, kernels.vector_width + 1, panel}) {
                Tiles input(algorithm, channels, count, kernels), output(algorithm, columns, count, kernels);
                const int64_t n = input.sizes.points(), m = input.sizes.outputs, r = input.sizes.kernel;
                fill_map(input, n, random);
                Buffer<float> rows = random.numbers(r * r * channels * panel);
                Buffer<float> matrices = plain_buffer<float>(n * n * channels * panel);
                const Buffer<float> bias = random.numbers(panel);
                kernels.winograd_input(input.p);
                kernels.winograd_weights({algorithm, channels, panel, rows.data(), matrices.data(), channels * panel});
                multiply_slowly(input, matrices, output);
                // Rows and columns of each tile that lie inside the map: the last tile lies partly outside.
                const std::vector<int64_t> inside = {m, m, m, m, m - 1, 1};
                std::fill(output.map.begin(), output.map.end(), untouched);
                output.p.inside = inside.data();
                output.p.bias = bias.data();
                output.p.relu = columns % 2 == 0;
                kernels.winograd_output(output.p);
                for (int64_t y = 0; y < m; ++y) {
                    for (int64_t x = 0; x < count * m; ++x) {
                        const int64_t tile = x / m;
                        const bool is_inside = y < inside[static_cast<std::size_t>(2 * tile)] &&
                                               x % m < inside[static_cast<std::size_t>(2 * tile + 1)];
                        for (int64_t f = 0; f < output.p.pixel; ++f) {
                            const float got = output.pixel(y, x, f);
                            if (!is_inside || f >= columns) {
                                CHECK(got == untouched);
                                continue;
                            }
                            const Sum direct = convolve_slowly(input, rows, panel, y, x, f);
                            const double sum = direct.value + static_cast<double>(bias[static_cast<std::size_t>(f)]);
                            const double wanted = output.p.relu ? std::max(sum, 0.0) : sum;
                            CHECK_NEAR(static_cast<double>(got), wanted, tolerance(algorithm) * (1 + direct.size));
                        }
                    }
                }
            }
        }
    }
}

// T' is the transpose of T if <T x, y> = <x, T' y> for all x and y; the tests take random x and y, and <,> is `dot`.
TEST(the_backward_winograd_transforms_are_transposes_of_the_forward_ones) {
    Random random(72);
    for (WinogradAlgorithm algorithm : algorithms) {
        for (int64_t channels : channel_counts(kernels)) {
            Tiles forward(algorithm, channels, 2, kernels), back(algorithm, channels, 2, kernels);
            const auto pixels = static_cast<int64_t>(forward.map.size()),
                       numbers = static_cast<int64_t>(forward.transformed.size());
            const int64_t n = forward.sizes.points(), m = forward.sizes.outputs;
            fill_map(forward, n, random);
            fill_transformed(back, random);
            kernels.winograd_input(forward.p);
            kernels.winograd_input_backward(back.p);
            // Both sides are sums of n^2 numbers per tile and channel, each with coefficients that grow with n.
            const double tolerance = 1e-4 * static_cast<double>(n * n * n);
            const double of_input = dot(forward.transformed, back.transformed, numbers);
            CHECK_NEAR(dot(forward.map, back.map, pixels), of_input, tolerance);
            // It adds, since overlapping tiles share pixels: called twice it gives twice the sum.
            kernels.winograd_input_backward(back.p);
            CHECK_NEAR(dot(forward.map, back.map, pixels), 2 * of_input, 2 * tolerance);

            Tiles maps(algorithm, channels, 2, kernels), outputs(algorithm, channels, 2, kernels);
            const std::vector<int64_t> inside = {m, m, m, m};
            const Buffer<float> bias = plain_buffer<float>(channels + kernels.vector_width);
            fill_map(maps, m, random);
            for (int64_t row = 0; row < m; ++row) {  // the pixels after the last tile are no outputs
                for (int64_t i = 2 * m * maps.p.pixel; i < maps.p.row; ++i) maps.p.map[row * maps.p.row + i] = 0;
            }
            fill_transformed(outputs, random);
            outputs.p.inside = inside.data();
            outputs.p.bias = bias.data();
            kernels.winograd_output(outputs.p);
            kernels.winograd_output_backward(maps.p);
            const double of_output = dot(maps.map, outputs.map, pixels);
            CHECK_NEAR(dot(maps.transformed, outputs.transformed, numbers), of_output, tolerance);
        }
    }
}

TEST(the_winograd_kernel_gradient_is_the_transpose_of_the_kernel_transform) {
    Random random(73);
    const int64_t panel = kernels.panel_width, channels = 3;
    for (WinogradAlgorithm algorithm : algorithms) {
        const WinogradSizes sizes = winograd_sizes(algorithm);
        const int64_t count = sizes.kernel * sizes.kernel * channels * panel,
                      position_step = channels * panel + kernels.vector_width,  // with a gap
                      numbers = sizes.positions() * position_step;
        for (int64_t columns : {int64_t{1}, kernels.vector_width, kernels.vector_width + 1, panel}) {
            Buffer<float> rows = random.numbers(count), sums = plain_buffer<float>(count);
            Buffer<float> matrices = plain_buffer<float>(numbers), gradient = random.numbers(numbers);
            for (int64_t i = 0; i < count; ++i) {  // columns after the last filter are zero, and stay unchanged
                if (i % panel >= columns) rows[static_cast<std::size_t>(i)] = 0;
                sums[static_cast<std::size_t>(i)] = i % panel < columns ? 0 : untouched;
            }
            kernels.winograd_weights({algorithm, channels, panel, rows.data(), matrices.data(), position_step});
            const WinogradWeights back = {algorithm, channels, columns, sums.data(), gradient.data(), position_step};
            kernels.winograd_weights_backward(back);
            const double wanted = dot(matrices, gradient, numbers);
            CHECK_NEAR(dot(rows, sums, count), wanted, 1e-4);
            kernels.winograd_weights_backward(back);
            CHECK_NEAR(dot(rows, sums, count), 2 * wanted, 2e-4);
            for (int64_t i = 0; i < count; ++i) {
                if (i % panel >= columns) CHECK(sums[static_cast<std::size_t>(i)] == untouched);
            }
        }
    }
}

TEST(a_convolution_gets_the_algorithm_of_the_fewest_products) {
    const auto chosen = [](int64_t height, int64_t width, int64_t side, int64_t channels, int64_t stride) {
        Layer layer;
        layer.kind = Kind::convolution;
        layer.input = {height + side - 1, width + side - 1, channels};
        layer.output = {height, width, channels};
        layer.window = {side, side};
        layer.stride = {1, stride};
        return choose_winograd(layer);
    };
    CHECK(chosen(24, 24, 3, 64, 1) == WinogradAlgorithm::f4x3);
    CHECK(chosen(2, 2, 3, 64, 1) == WinogradAlgorithm::f2x3);
    CHECK(chosen(1, 1, 3, 64, 1) == WinogradAlgorithm::none);  // 9 products for one output instead of 16 for four
    CHECK(chosen(24, 20, 5, 64, 1) == WinogradAlgorithm::f4x5);
    CHECK(chosen(2, 6, 5, 64, 1) == WinogradAlgorithm::f2x5);
    CHECK(chosen(1, 1, 5, 64, 1) == WinogradAlgorithm::none);
    // 16 products instead of 18 do not pay for the transforms.
    CHECK(chosen(1, 2, 3, 64, 1) == WinogradAlgorithm::none);
    CHECK(chosen(24, 24, 2, 64, 1) == WinogradAlgorithm::none);
    CHECK(chosen(24, 24, 3, 64, 2) == WinogradAlgorithm::none);
    CHECK(chosen(24, 24, 3, 3, 1) == WinogradAlgorithm::none);
}

}  // namespace convscope::test
