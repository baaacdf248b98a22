// The backward pass through relu, pooling and convolution at once, in which only the winner of each pooling window (a
// cell) has a gradient. It is compared with the same sums in plain loops.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

struct Case {
    int64_t kernel_rows, kernel_columns, channels, filters, cell_rows, cell_columns;
};

// A map without padding, pooled 2 x 2 with stride 2, with random winners and a gradient of which a third is zero.
// Winner 0, 1, 2 or 3 is the upper left, upper right, lower left or lower right pixel of a cell; its window of the
// input begins `image.window[winner]` numbers after the cell's own offset.
struct Backward {
    Backward(const Case& sizes, Random& random) : shape(sizes) {
        const int64_t height = 2 * sizes.cell_rows + sizes.kernel_rows - 1,
                      width = 2 * sizes.cell_columns + sizes.kernel_columns - 1;
        image.input_row = width * sizes.channels;
        image.cells = sizes.cell_rows * sizes.cell_columns;
        image.filters = sizes.filters;
        image.channels = sizes.channels;
        image.kernel_rows = sizes.kernel_rows;
        image.run = sizes.kernel_columns * sizes.channels;
        input_size = height * image.input_row;
        const int64_t window[4] = {0, sizes.channels, image.input_row, image.input_row + sizes.channels};
        std::copy(window, window + 4, image.window);
        for (int64_t cell = 0; cell < image.cells; ++cell) {
            offsets.push_back(cell / sizes.cell_columns * 2 * image.input_row +
                              cell % sizes.cell_columns * 2 * sizes.channels);
        }
        input = random.numbers(input_size);
        gradient = random.numbers(image.cells * sizes.filters);
        winners = plain_buffer<int32_t>(image.cells * sizes.filters);
        for (int64_t i = 0; i < image.cells * sizes.filters; ++i) {
            winners[static_cast<std::size_t>(i)] = static_cast<int32_t>(random.below(4));
            if (random.below(3) == 0) gradient[static_cast<std::size_t>(i)] = 0;
        }
        for (int64_t cell = 0; cell < image.cells; ++cell) cells.push_back(static_cast<int32_t>(cell));
        image.live = cells.data();
        image.live_cells = image.cells;
        // Scratch of the engine: a bit for each filter and each of a cell's four pixels, for so many cells at a time.
        won_bits = plain_buffer<uint32_t>(marked_cells * marks_size(sizes.filters));
        image.input = input.data();
        image.gradient = gradient.data();
        image.winners = winners.data();
        image.cell_offsets = offsets.data();
        image.won = won_bits.data();
    }

    double gradient_at(int64_t cell, int64_t filter) const {
        return static_cast<double>(gradient[static_cast<std::size_t>(cell * shape.filters + filter)]);
    }
    // Returns the input offset of the first number that the winner of a cell reads.
    int64_t won(int64_t cell, int64_t filter) const {
        const int32_t winner = winners[static_cast<std::size_t>(cell * shape.filters + filter)];
        return offsets[static_cast<std::size_t>(cell)] + image.window[winner];
    }
    // Returns the gradient with respect to number `i` of a kernel row, (kernel column, channel).
    double kernel_gradient(int64_t filter, int64_t row, int64_t i) const {
        double sum = 0;
        for (int64_t cell = 0; cell < image.cells; ++cell) {
            const auto at = static_cast<std::size_t>(won(cell, filter) + row * image.input_row + i);
            sum += gradient_at(cell, filter) * static_cast<double>(input[at]);
        }
        return sum;
    }
    double bias_gradient(int64_t filter) const {
        double sum = 0;
        for (int64_t cell = 0; cell < image.cells; ++cell) sum += gradient_at(cell, filter);
        return sum;
    }

    Case shape;
    WinnersImage image;
    int64_t input_size = 0;
    std::vector<int64_t> offsets;
    std::vector<int32_t> cells;
    Buffer<float> input, gradient;
    Buffer<int32_t> winners;
    Buffer<uint32_t> won_bits;
};

constexpr double before = 0.5;  // the value to which the gradients are added

std::vector<Case> cases(const Kernels& kernels) {
    const int64_t width = kernels.vector_width;
    return {
        // kernel rows, kernel columns, channels, filters, cell rows, cell columns
        {3, 3, 1, 16, 4, 5},  {3, 3, 3, width + 1, 3, 3},  {5, 5, 2, 2 * width, 2, 3},     {1, 1, 1, 1, 1, 1},
        {1, 2, 5, 3, 2, 2},   {2, 4, width, width, 2, 1},  {3, 3, 16, 16, 5, 5},           {7, 3, 1, width - 1, 2, 2},
        {3, 3, 1, 4, 17, 18}, {3, 3, width + 3, 33, 2, 2}, {4, 11, 1, 2 * width + 1, 2, 2}};
}

}  // namespace

TEST(the_winners_kernel_gradient_by_filters_matches_its_formula) {
    Random random(21);
    for (const Case& sizes : cases(kernels)) {
        Backward backward(sizes, random);
        const int64_t width = kernels.panel_width, panels = (sizes.filters + width - 1) / width;
        const int64_t inputs = backward.image.kernel_rows * backward.image.run, panel_size = (inputs + 1) * width;
        Buffer<float> sums = plain_buffer<float>(panels * panel_size);
        std::fill(sums.begin(), sums.end(), static_cast<float>(before));
        backward.image.kernel = sums.data();
        kernels.winners_kernel_by_filters(backward.image);
        for (int64_t filter = 0; filter < panels * width; ++filter) {
            const float* column = sums.data() + filter / width * panel_size + filter % width;
            for (int64_t row = 0; row < inputs; ++row) {
                const double more = filter < sizes.filters ? backward.kernel_gradient(filter, row / backward.image.run,
                                                                                      row % backward.image.run)
                                                           : 0;
                CHECK_NEAR(static_cast<double>(column[row * width]), before + more, 2e-5);
            }
            const double more = filter < sizes.filters ? backward.bias_gradient(filter) : 0;
            CHECK_NEAR(static_cast<double>(column[inputs * width]), before + more, 2e-5);
        }
    }
}

TEST(the_winners_kernel_gradient_by_runs_matches_its_formula) {
    Random random(22);
    for (const Case& sizes : cases(kernels)) {
        Backward backward(sizes, random);
        const int64_t row_size = round_up(backward.image.run, kernels.vector_width);
        Buffer<float> sums = plain_buffer<float>(sizes.filters * sizes.kernel_rows * row_size);
        Buffer<float> bias = plain_buffer<float>(sizes.filters);
        std::fill(sums.begin(), sums.end(), static_cast<float>(before));
        std::fill(bias.begin(), bias.end(), static_cast<float>(before));
        backward.image.kernel = sums.data();
        backward.image.bias = bias.data();
        kernels.winners_kernel_by_runs(backward.image);
        for (int64_t filter = 0; filter < sizes.filters; ++filter) {
            for (int64_t row = 0; row < sizes.kernel_rows; ++row) {
                const float* line = sums.data() + (filter * sizes.kernel_rows + row) * row_size;
                for (int64_t i = 0; i < backward.image.run; ++i) {
                    CHECK_NEAR(static_cast<double>(line[i]), before + backward.kernel_gradient(filter, row, i), 2e-5);
                }
            }
            CHECK_NEAR(static_cast<double>(bias[static_cast<std::size_t>(filter)]),
                       before + backward.bias_gradient(filter), 2e-5);
        }
        CHECK(bias[static_cast<std::size_t>(sizes.filters)] == static_cast<float>(before));
    }
}

TEST(the_winners_gradient_with_respect_to_the_input_matches_its_formula) {
    Random random(23);
    for (const Case& sizes : cases(kernels)) {
        if (sizes.kernel_rows != sizes.kernel_columns || (sizes.kernel_rows != 3 && sizes.kernel_rows != 5)) continue;
        Backward backward(sizes, random);
        const int64_t width = kernels.vector_width, taps = sizes.kernel_rows * sizes.kernel_columns;
        const Buffer<float> kernel = random.numbers(taps * sizes.channels * sizes.filters);  // Keras layout
        auto weight = [&](int64_t tap, int64_t channel, int64_t filter) {
            return kernel[static_cast<std::size_t>((tap * sizes.channels + channel) * sizes.filters + filter)];
        };
        // The layout that `winners_input` reads: (channel block, filter, tap, vector_width).
        Buffer<float> back = plain_buffer<float>(round_up(sizes.channels, width) * sizes.filters * taps);
        for (int64_t channel = 0; channel < sizes.channels; ++channel) {
            for (int64_t filter = 0; filter < sizes.filters; ++filter) {
                for (int64_t tap = 0; tap < taps; ++tap) {
                    back[static_cast<std::size_t>(((channel / width * sizes.filters + filter) * taps + tap) * width +
                                                  channel % width)] = weight(tap, channel, filter);
                }
            }
        }
        Buffer<float> sums = plain_buffer<float>(backward.input_size);
        std::vector<double> wanted(static_cast<std::size_t>(backward.input_size));
        backward.image.back = back.data();
        backward.image.input_gradient = sums.data();
        kernels.winners_input(backward.image);
        for (int64_t cell = 0; cell < backward.image.cells; ++cell) {
            for (int64_t filter = 0; filter < sizes.filters; ++filter) {
                for (int64_t tap = 0; tap < taps; ++tap) {
                    const int64_t first = backward.won(cell, filter) +
                                          tap / sizes.kernel_columns * backward.image.input_row +
                                          tap % sizes.kernel_columns * sizes.channels;
                    for (int64_t channel = 0; channel < sizes.channels; ++channel) {
                        wanted[static_cast<std::size_t>(first + channel)] +=
                            backward.gradient_at(cell, filter) * static_cast<double>(weight(tap, channel, filter));
                    }
                }
            }
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 2e-5);
    }
}

}  // namespace convscope::test
