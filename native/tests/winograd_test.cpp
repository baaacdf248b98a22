// Winograd's convolution F(2 x 2, 3 x 3), pooled, against the direct convolution in double; and each transform by
// itself. With . number by number, x the 4 x 4 pixels that a cell (a 2 x 2 pooling window) reads, and g the 3 x 3
// kernel:
//     the cell's four outputs = A^T [sum over channels of (G g G^T) . (B^T x B)] A
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

// G, B^T and A^T. Source: Lavin and Gray 2016, section 4.1.
constexpr double kernel_matrix[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
constexpr double input_matrix[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
constexpr double output_matrix[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

// Returns entry (i, j) of M x M^T, where `at(row, column)` gives the entries of x.
template <int Rows, int Columns, class Entry>
double transformed(const double (&matrix)[Rows][Columns], int64_t i, int64_t j, Entry at) {
    double sum = 0;
    for (int64_t row = 0; row < Columns; ++row) {
        for (int64_t column = 0; column < Columns; ++column) {
            sum += matrix[i][row] * matrix[j][column] * static_cast<double>(at(row, column));
        }
    }
    return sum;
}

struct Case {
    int64_t channels, filters, cell_rows, cell_columns;
};

// A map one pixel wider than its cells read, with the cells in reverse order, and one panel of weights: rows (kernel
// row, kernel column, channel), with the columns after the last filter 0 as Parameters keeps them.
struct Convolution {
    Convolution(const Kernels& kernels, const Case& sizes, Random& random)
        : shape(sizes),
          cells(sizes.cell_rows * sizes.cell_columns),
          panel(kernels.panel_width),
          winner_row(sizes.filters + 2) {
        tiles.algorithm = WinogradAlgorithm::f2x3;
        tiles.row = (2 * sizes.cell_columns + 3) * sizes.channels;
        tiles.pixel = tiles.channels = sizes.channels;
        pooling.cells = tiles.tiles = cells;
        tiles.tile_step = round_up(sizes.channels, kernels.vector_width);
        tiles.position_step = cells * tiles.tile_step;
        pooling.columns = sizes.filters;
        pooling.winner_row = winner_row;
        for (int64_t i = 0; i < cells; ++i) {
            const int64_t cell = cells - 1 - i;
            input_offsets.push_back(2 * (cell / sizes.cell_columns) * tiles.row +
                                    2 * (cell % sizes.cell_columns) * sizes.channels);
            output_offsets.push_back(cell * (sizes.filters + 1));
        }
        input = random.numbers((2 * sizes.cell_rows + 2) * tiles.row);
        weights = random.numbers(9 * sizes.channels * panel);
        for (int64_t i = 0; i < 9 * sizes.channels * panel; ++i) {
            if (i % panel >= sizes.filters) weights[static_cast<std::size_t>(i)] = 0;
        }
        bias = random.numbers(panel);
        transformed_weights = plain_buffer<float>(16 * sizes.channels * panel);
        transformed_input = plain_buffer<float>(16 * tiles.position_step);
        products = plain_buffer<float>(16 * cells * panel);
        output = plain_buffer<float>(cells * (sizes.filters + 1));
        std::fill(output.begin(), output.end(), untouched);
        winners = plain_buffer<int32_t>(cells * winner_row);
        std::fill(winners.begin(), winners.end(), -1);
        tiles.map = input.data();
        tiles.offsets = input_offsets.data();
        tiles.transformed = transformed_input.data();
        pooling.products = products.data();
        pooling.bias = bias.data();
        pooling.output = output.data();
        pooling.output_offsets = output_offsets.data();
        pooling.winners = winners.data();
    }

    void transform_weights(const Kernels& kernels) {
        kernels.winograd_weights(
            {WinogradAlgorithm::f2x3, shape.channels, panel, weights.data(), transformed_weights.data(), shape.channels * panel});
    }

    // Computes a panel as PooledConvolution does: transforms of weights and input, 16 products, transform of the
    // output.
    void compute(const Kernels& kernels) {
        transform_weights(kernels);
        kernels.winograd_input(tiles);
        std::vector<int64_t> a_rows, c_rows;
        for (int64_t cell = 0; cell < cells; ++cell) {
            a_rows.push_back(cell * tiles.tile_step);
            c_rows.push_back(cell * panel);
        }
        Product p;
        p.rows = cells;
        p.columns = panel;
        p.length = shape.channels;
        p.a_rows = a_rows.data();
        p.b_step = panel;
        p.c_rows = c_rows.data();
        for (int64_t position = 0; position < 16; ++position) {
            p.a = transformed_input.data() + position * tiles.position_step;
            p.b = transformed_weights.data() + position * shape.channels * panel;
            p.c = products.data() + position * cells * panel;
            kernels.multiply(p);
        }
        kernels.winograd_pool(pooling);
    }

    float pixel(int64_t cell, int64_t row, int64_t column, int64_t channel) const {
        return tiles.map[tiles.offsets[cell] + row * tiles.row + column * shape.channels + channel];
    }
    float weight(int64_t row, int64_t column, int64_t channel, int64_t filter) const {
        return weights.data()[((row * 3 + column) * shape.channels + channel) * panel + filter];
    }
    // Returns the direct convolution, without bias, at pixel 0 to 3 of a cell, row by row.
    double direct(int64_t cell, int64_t cell_pixel, int64_t filter) const {
        double sum = 0;
        for (int64_t r = 0; r < 3; ++r) {
            for (int64_t s = 0; s < 3; ++s) {
                for (int64_t c = 0; c < shape.channels; ++c) {
                    sum += static_cast<double>(pixel(cell, cell_pixel / 2 + r, cell_pixel % 2 + s, c)) *
                           static_cast<double>(weight(r, s, c, filter));
                }
            }
        }
        return sum;
    }
    const float* output_of(int64_t cell) const { return pooling.output + pooling.output_offsets[cell]; }
    const int32_t* winners_of(int64_t cell) const { return pooling.winners + cell * winner_row; }

    Case shape;
    WinogradTiles tiles;
    WinogradCells pooling;
    int64_t cells, panel, winner_row;
    std::vector<int64_t> input_offsets, output_offsets;
    Buffer<float> input, weights, bias, transformed_weights, transformed_input, products, output;
    Buffer<int32_t> winners;
};

std::vector<Case> cases(const Kernels& kernels) {
    const int64_t width = kernels.vector_width, panel = kernels.panel_width;
    std::vector<Case> cases = {{1, 1, 1, 1}, {8, panel, 3, 9}, {2, 3, 1, 5}, {40, width + 1, 4, 1}};
    for (int64_t channels : {width - 1, width, width + 1, 2 * width + 3}) {
        for (int64_t columns : {int64_t{1}, width - 1, width, width + 1, panel - 1, panel}) {
            cases.push_back({channels, columns, 2, 3});
        }
    }
    return cases;
}

}  // namespace

TEST(a_pooled_winograd_convolution_equals_the_direct_one) {
    Random random(61);
    for (const Case& sizes : cases(kernels)) {
        for (bool relu : {false, true}) {
            Convolution convolution(kernels, sizes, random);
            convolution.pooling.relu = relu;
            convolution.compute(kernels);
            for (int64_t cell = 0; cell < convolution.cells; ++cell) {
                const float* got = convolution.output_of(cell);
                const int32_t* winner = convolution.winners_of(cell);
                for (int64_t filter = 0; filter < sizes.filters; ++filter) {
                    double largest = convolution.direct(cell, 0, filter);
                    for (int64_t j = 1; j < 4; ++j) largest = std::max(largest, convolution.direct(cell, j, filter));
                    CHECK(winner[filter] >= 0 && winner[filter] < 4);
                    // Rounding may choose another pixel than double, but then a pixel of nearly the same value.
                    CHECK_NEAR(convolution.direct(cell, winner[filter] & 3, filter), largest, 3e-5);
                    largest += static_cast<double>(convolution.pooling.bias[filter]);
                    CHECK_NEAR(static_cast<double>(got[filter]), relu ? std::max(largest, 0.0) : largest, 2e-5);
                }
                CHECK(got[sizes.filters] == untouched);
                CHECK(winner[sizes.filters] == -1 && winner[sizes.filters + 1] == -1);
            }
        }
    }
}

TEST(winograd_kernels_match_their_formula) {
    Random random(62);
    for (int64_t channels : {1, 3, 8, 17}) {
        Convolution convolution(kernels, {channels, kernels.panel_width, 1, 1}, random);
        const int64_t size = 16 * channels * convolution.panel;
        std::fill(convolution.transformed_weights.begin(), convolution.transformed_weights.end(), untouched);
        convolution.transform_weights(kernels);
        for (int64_t i = 0; i < size; ++i) {
            const int64_t position = i / convolution.panel / channels, channel = i / convolution.panel % channels,
                          filter = i % convolution.panel;
            const double wanted = transformed(
                kernel_matrix, position / 4, position % 4,
                [&](int64_t row, int64_t column) { return convolution.weight(row, column, channel, filter); });
            CHECK_NEAR(static_cast<double>(convolution.transformed_weights[static_cast<std::size_t>(i)]), wanted, 1e-6);
        }
        for (auto i = static_cast<std::size_t>(size); i < convolution.transformed_weights.size(); ++i)
            CHECK(convolution.transformed_weights[i] == untouched);
    }
}

TEST(winograd_inputs_match_their_formula) {
    Random random(63);
    const int64_t width = kernels.vector_width;
    for (int64_t channels : {int64_t{1}, width - 1, width, width + 1, 2 * width + 3}) {
        Convolution convolution(kernels, {channels, 1, 2, 3}, random);
        const auto size = static_cast<std::size_t>(16 * convolution.tiles.position_step);
        std::fill(convolution.transformed_input.begin(), convolution.transformed_input.end(), untouched);
        kernels.winograd_input(convolution.tiles);
        for (int64_t position = 0; position < 16; ++position) {
            for (int64_t cell = 0; cell < convolution.cells; ++cell) {
                const float* got =
                    convolution.tiles.transformed + (position * convolution.cells + cell) * convolution.tiles.tile_step;
                for (int64_t channel = 0; channel < channels; ++channel) {
                    const double wanted = transformed(
                        input_matrix, position / 4, position % 4,
                        [&](int64_t row, int64_t column) { return convolution.pixel(cell, row, column, channel); });
                    CHECK_NEAR(static_cast<double>(got[channel]), wanted, 1e-6);
                }
            }
        }
        for (std::size_t i = size; i < convolution.transformed_input.size(); ++i)
            CHECK(convolution.transformed_input[i] == untouched);
    }
}

TEST(winograd_outputs_match_their_formula) {
    Random random(64);
    for (const Case& sizes : cases(kernels)) {
        Convolution convolution(kernels, sizes, random);
        convolution.products = random.numbers(16 * convolution.cells * convolution.panel);
        convolution.pooling.products = convolution.products.data();
        kernels.winograd_pool(convolution.pooling);
        for (int64_t cell = 0; cell < convolution.cells; ++cell) {
            for (int64_t filter = 0; filter < sizes.filters; ++filter) {
                double pixels[4];
                for (int64_t j = 0; j < 4; ++j) {
                    pixels[j] = transformed(output_matrix, j / 2, j % 2, [&](int64_t row, int64_t column) {
                        return convolution.pooling
                            .products[((row * 4 + column) * convolution.cells + cell) * convolution.panel + filter];
                    });
                }
                const double largest = *std::max_element(pixels, pixels + 4);
                CHECK_NEAR(static_cast<double>(convolution.output_of(cell)[filter]),
                           largest + static_cast<double>(convolution.pooling.bias[filter]), 3e-6);
                CHECK_NEAR(pixels[convolution.winners_of(cell)[filter] & 3], largest, 3e-6);
            }
        }
    }
}

// The kernel pools the transformed outputs; if all pixels of a row or of a column are equal, so must its outputs be,
// bit for bit, or another than the first would win.
TEST(pooled_winograd_keeps_the_first_of_equal_values) {
    Random random(65);
    const int64_t channels = kernels.vector_width + 3;
    for (bool along_rows : {false, true}) {
        for (bool along_columns : {false, true}) {
            Convolution convolution(kernels, {channels, kernels.panel_width, 3, 4}, random);
            for (std::size_t i = 0; i < convolution.input.size(); ++i) {
                const int64_t row = static_cast<int64_t>(i) / convolution.tiles.row;
                const int64_t column = static_cast<int64_t>(i) % convolution.tiles.row / channels;
                Random pixel(static_cast<uint64_t>((along_columns ? 0 : row) * 100 + (along_rows ? 0 : column)));
                convolution.input[i] = pixel.number();
            }
            convolution.compute(kernels);
            for (int64_t cell = 0; cell < convolution.cells; ++cell) {
                for (int64_t filter = 0; filter < convolution.panel; ++filter) {
                    const int32_t winner = convolution.winners_of(cell)[filter];
                    if (along_rows) CHECK(winner % 2 == 0);     // the left column
                    if (along_columns) CHECK(winner / 2 == 0);  // the upper row
                }
            }
        }
    }
}

}  // namespace convscope::test
