// Poolings that are not fused with a convolution, of any size, stride and padding, compared with plain loops.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

struct Axis {
    int64_t in, out, size, stride, padding;
};

struct Case {
    Axis down, right;
};

// A map without padding, whose outputs are written in reverse order. A cell is an output pixel.
struct Pooling {
    Pooling(const Case& sizes, int64_t channels, Random& random)
        : shape(sizes), cells(sizes.down.out * sizes.right.out), input_size(sizes.down.in * sizes.right.in * channels) {
        image.channels = channels;
        image.in_rows = sizes.down.in, image.in_columns = sizes.right.in;
        image.out_rows = sizes.down.out, image.out_columns = sizes.right.out;
        image.size[0] = sizes.down.size, image.size[1] = sizes.right.size;
        image.stride[0] = sizes.down.stride, image.stride[1] = sizes.right.stride;
        image.padding[0] = sizes.down.padding, image.padding[1] = sizes.right.padding;
        for (int64_t cell = cells; cell-- > 0;) offsets.push_back(cell * (channels + 1));
        input = random.numbers(input_size);
        gradient = random.numbers(cells * channels);
        output = plain_buffer<float>(cells * (channels + 1));
        std::fill(output.begin(), output.end(), untouched);
        image.input = input.data();
        image.gradient = gradient.data();
        image.output = output.data();
        image.output_offsets = offsets.data();
    }

    // The offsets of channel `c` of the pixels in a cell's window, row by row, without padding.
    std::vector<int64_t> window(int64_t cell, int64_t c) const {
        std::vector<int64_t> pixels;
        const int64_t top = cell / shape.right.out * shape.down.stride - shape.down.padding;
        const int64_t left = cell % shape.right.out * shape.right.stride - shape.right.padding;
        for (int64_t row = top; row < top + shape.down.size; ++row) {
            for (int64_t column = left; column < left + shape.right.size; ++column) {
                if (row < 0 || row >= shape.down.in || column < 0 || column >= shape.right.in) continue;
                pixels.push_back((row * shape.right.in + column) * image.channels + c);
            }
        }
        return pixels;
    }
    const float* output_of(int64_t cell) const { return image.output + image.output_offsets[cell]; }

    Case shape;
    PoolingImage image;
    int64_t cells, input_size;
    std::vector<int64_t> offsets;
    Buffer<float> input, gradient, output;
};

const Case cases[] = {
    {{6, 3, 2, 2, 0}, {8, 4, 2, 2, 0}},                                       // as in most networks
    {{7, 3, 3, 2, 0}, {9, 4, 3, 2, 0}},                                       // windows that overlap
    {{3, 3, 1, 1, 0}, {13, 4, 4, 3, 0}},                                      // rows only
    {{5, 3, 3, 1, 0}, {4, 4, 1, 1, 0}},                                       // columns only
    {{5, 3, 1, 2, 0}, {7, 4, 1, 2, 0}},                                       // pixels that no window reads
    {{1, 1, 1, 1, 0}, {1, 1, 1, 1, 0}},  {{5, 1, 5, 1, 0}, {4, 1, 4, 1, 0}},  // the whole map
    {{5, 5, 3, 1, 1}, {4, 4, 3, 1, 1}},                                       // padding on every side
    {{7, 4, 2, 2, 0}, {5, 3, 2, 2, 0}},                                       // padding after the last pixel
    {{7, 4, 4, 2, 1}, {10, 4, 5, 3, 2}}, {{2, 2, 5, 1, 2}, {1, 1, 3, 1, 1}},  // a window larger than the map
};

// Calls visit(pooling) with every case and several numbers of channels.
template <class Visit>
void for_each_pooling(const Kernels& kernels, uint64_t seed, Visit visit) {
    Random random(seed);
    const int64_t width = kernels.vector_width;
    for (const Case& sizes : cases) {
        for (int64_t channels : {int64_t{1}, int64_t{3}, width - 1, width, width + 1, 2 * width + 3}) {
            Pooling pooling(sizes, channels, random);
            visit(pooling);
        }
    }
}

}  // namespace

TEST(max_pooling_keeps_the_first_maximum_and_its_index) {
    for_each_pooling(kernels, 11, [&](Pooling& pooling) {
        for (float& value : pooling.input) value = static_cast<float>(static_cast<int>(value * 4));  // many are equal
        const int64_t channels = pooling.image.channels;
        Buffer<int32_t> winners = plain_buffer<int32_t>(pooling.cells * channels);
        std::fill(winners.begin(), winners.end(), -1);
        pooling.image.winners = winners.data();
        kernels.pool(pooling.image);
        for (int64_t cell = 0; cell < pooling.cells; ++cell) {
            for (int64_t c = 0; c < channels; ++c) {
                const std::vector<int64_t> window = pooling.window(cell, c);
                const int64_t winner = *std::max_element(window.begin(), window.end(), [&](int64_t a, int64_t b) {
                    return pooling.image.input[a] < pooling.image.input[b];
                });
                CHECK(pooling.output_of(cell)[c] == pooling.image.input[winner]);
                CHECK(winners.data()[cell * channels + c] == winner);
            }
            CHECK(pooling.output_of(cell)[channels] == untouched);
        }
        CHECK(winners.data()[pooling.cells * channels] == -1);

        const Buffer<float> with_winners = pooling.output;
        std::fill(pooling.output.begin(), pooling.output.end(), untouched);
        pooling.image.winners = nullptr;
        kernels.pool(pooling.image);
        CHECK(pooling.output == with_winners);
    });
}

TEST(a_gradient_goes_to_the_winner_of_each_cell) {
    for_each_pooling(kernels, 14, [&](Pooling& pooling) {
        const int64_t channels = pooling.image.channels;
        Buffer<int32_t> winners = plain_buffer<int32_t>(pooling.cells * channels);
        pooling.image.winners = winners.data();
        kernels.pool(pooling.image);
        Buffer<float> gradient = plain_buffer<float>(pooling.input_size);
        std::fill(gradient.begin(), gradient.end(), 1.0f);
        std::vector<double> expected(static_cast<std::size_t>(pooling.input_size), 1.0);
        for (int64_t i = 0; i < pooling.cells * channels; ++i) {
            expected[static_cast<std::size_t>(winners.data()[i])] += static_cast<double>(pooling.image.gradient[i]);
        }
        pooling.image.input_gradient = gradient.data();
        kernels.pool_backward(pooling.image);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CHECK(std::abs(static_cast<double>(gradient[i]) - expected[i]) < 1e-5);
        }
        CHECK(gradient[expected.size()] == 1.0f);
    });
}

TEST(average_pooling_ignores_the_padding) {
    for_each_pooling(kernels, 12, [&](Pooling& pooling) {
        kernels.average(pooling.image);
        for (int64_t cell = 0; cell < pooling.cells; ++cell) {
            for (int64_t c = 0; c < pooling.image.channels; ++c) {
                const std::vector<int64_t> window = pooling.window(cell, c);
                double sum = 0;
                for (int64_t pixel : window) sum += static_cast<double>(pooling.image.input[pixel]);
                CHECK_NEAR(static_cast<double>(pooling.output_of(cell)[c]), sum / static_cast<double>(window.size()),
                           1e-6);
            }
            CHECK(pooling.output_of(cell)[pooling.image.channels] == untouched);
        }
    });
}

TEST(the_gradient_of_average_pooling_ignores_the_padding) {
    for_each_pooling(kernels, 13, [&](Pooling& pooling) {
        Buffer<float> sums = plain_buffer<float>(pooling.input_size);
        std::fill(sums.begin(), sums.end(), 0.5f);  // the gradient is added to what is there
        std::vector<double> wanted(sums.begin(), sums.end());
        pooling.image.input_gradient = sums.data();
        kernels.average_backward(pooling.image);
        for (int64_t cell = 0; cell < pooling.cells; ++cell) {
            for (int64_t c = 0; c < pooling.image.channels; ++c) {
                const std::vector<int64_t> window = pooling.window(cell, c);
                const double share = static_cast<double>(pooling.image.gradient[cell * pooling.image.channels + c]);
                for (int64_t pixel : window) {
                    wanted[static_cast<std::size_t>(pixel)] += share / static_cast<double>(window.size());
                }
            }
        }
        for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_NEAR(static_cast<double>(sums[i]), wanted[i], 2e-6);
    });
}

}  // namespace convscope::test
