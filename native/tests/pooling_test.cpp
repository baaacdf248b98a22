// Max pooling that stands by itself, against plain loops.
#include <algorithm>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr float untouched = 12345;

void check_pooling(const Kernels& kernels, int64_t channels, int64_t rows, int64_t columns, int64_t stride_down,
                   int64_t stride_right, Random& random) {
    const int64_t out_rows = 3, out_columns = 4;
    const int64_t height = (out_rows - 1) * stride_down + rows, width = (out_columns - 1) * stride_right + columns;
    const int64_t input_row = width * channels;
    Buffer<float> input = random.numbers(height * input_row);
    for (float& value : input) value = static_cast<float>(static_cast<int>(value * 4));  // so that many are equal
    std::vector<int64_t> places;
    for (int64_t cell = out_rows * out_columns; cell-- > 0;) places.push_back(cell * (channels + 1));
    Buffer<float> output = make_buffer<float>(out_rows * out_columns * (channels + 1));
    std::fill(output.begin(), output.end(), untouched);
    Buffer<int32_t> winners = make_buffer<int32_t>(out_rows * out_columns * channels);
    std::fill(winners.begin(), winners.end(), -1);

    PoolingImage p;
    p.input = input.data();
    p.in_rows = height;
    p.in_columns = width;
    p.channels = channels;
    p.out_rows = out_rows;
    p.out_columns = out_columns;
    p.size[0] = rows, p.size[1] = columns;
    p.stride[0] = stride_down, p.stride[1] = stride_right;
    p.output = output.data();
    p.output_places = places.data();
    p.winners = winners.data();
    kernels.pool(p);

    for (int64_t cell = 0; cell < out_rows * out_columns; ++cell) {
        const float* place = output.data() + places[static_cast<std::size_t>(cell)];
        for (int64_t c = 0; c < channels; ++c) {
            int64_t winner = -1;
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t s = 0; s < columns; ++s) {
                    const int64_t at = (cell / out_columns * stride_down + r) * input_row +
                                       (cell % out_columns * stride_right + s) * channels + c;
                    if (winner < 0 || input[static_cast<std::size_t>(at)] > input[static_cast<std::size_t>(winner)]) {
                        winner = at;  // of equals, the first
                    }
                }
            }
            CHECK(place[c] == input[static_cast<std::size_t>(winner)]);
            CHECK(winners[static_cast<std::size_t>(cell * channels + c)] == winner);
        }
        CHECK(place[channels] == untouched);
    }
    CHECK(winners[static_cast<std::size_t>(out_rows * out_columns * channels)] == -1);

    const Buffer<float> with_winners = output;
    std::fill(output.begin(), output.end(), untouched);
    p.winners = nullptr;
    kernels.pool(p);
    CHECK(output == with_winners);
}

}  // namespace

TEST(pooling_of_any_size_stride_and_channels_is_its_formula) {
    Random random(11);
    const int64_t width = kernels.vector_width;
    for (int64_t channels : {int64_t{1}, int64_t{3}, width - 1, width, width + 1, 2 * width + 3}) {
        check_pooling(kernels, channels, 2, 2, 2, 2, random);
        check_pooling(kernels, channels, 3, 3, 2, 2, random);
        check_pooling(kernels, channels, 1, 4, 1, 3, random);
        check_pooling(kernels, channels, 3, 1, 1, 1, random);
        check_pooling(kernels, channels, 1, 1, 2, 2, random);
    }
}

}  // namespace convscope::test
