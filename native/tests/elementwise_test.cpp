// The passes that touch every number once, against their formulas in double.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {

TEST(bytes_are_scaled_and_shifted_row_by_row) {
    Random random(31);
    for (int64_t length : {1, 3, 28, 84, 100}) {
        for (int64_t frame : {0, 5}) {
            const std::vector<uint8_t> bytes = random.bytes(4 * length);
            Buffer<float> out = plain_buffer<float>(4 * (length + frame));
            std::fill(out.begin(), out.end(), untouched);
            kernels.normalise(bytes.data(), 4, length, 1.0f / 255, -0.5f, out.data(), length + frame);
            for (int64_t i = 0; i < 4 * (length + frame); ++i) {
                const int64_t row = i / (length + frame), column = i % (length + frame);
                const double got = static_cast<double>(out[static_cast<std::size_t>(i)]);
                if (column < length) {
                    CHECK_NEAR(got, bytes[static_cast<std::size_t>(row * length + column)] / 255.0 - 0.5, 1e-6);
                } else {
                    CHECK(out[static_cast<std::size_t>(i)] == untouched);
                }
            }
        }
    }
}

TEST(sums_and_masked_copies_stay_within_their_count) {
    Random random(35);
    for (int64_t count : {1, 7, 16, 31, 64, 65}) {
        const Buffer<float> from = random.numbers(count), mask = random.numbers(count);
        Buffer<float> sum = random.numbers(count), copy = plain_buffer<float>(count), masked = copy;
        const Buffer<float> old = sum;
        std::fill(copy.data() + count, copy.data() + copy.size(), untouched);
        std::fill(masked.data() + count, masked.data() + masked.size(), untouched);
        kernels.add(sum.data(), from.data(), count);
        kernels.copy_where_positive(copy.data(), from.data(), nullptr, count);
        kernels.copy_where_positive(masked.data(), from.data(), mask.data(), count);
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const bool inside = i < static_cast<std::size_t>(count);
            CHECK(sum[i] == (inside ? old[i] + from[i] : old[i]));
            CHECK(copy[i] == (inside ? from[i] : untouched));
            CHECK(masked[i] == (!inside ? untouched : mask[i] > 0 ? from[i] : 0));
        }
    }
}

TEST(squares_are_summed_in_double_and_values_scaled_and_added) {
    Random random(38);
    for (int64_t count : {0, 1, 7, 16, 31, 64, 65, 1000}) {
        Buffer<float> values = plain_buffer<float>(count);
        // Squares of such numbers overflow or vanish in float.
        for (float& value : values) value = random.number_of_size(-30, 30);
        double squares = 0;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
        }
        CHECK_NEAR(kernels.sum_of_squares(values.data(), count), squares, 1e-13 * squares);
        float largest = 0;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            largest = std::max(largest, std::abs(values[i]));
        }
        CHECK(kernels.largest_size(values.data(), count) == largest);
        if (count > 0) {
            Buffer<float> not_finite = values;
            not_finite[static_cast<std::size_t>(count) / 2] = -INFINITY;
            CHECK(kernels.largest_size(not_finite.data(), count) == INFINITY);
            not_finite.front() = NAN;
            CHECK(std::isnan(kernels.largest_size(not_finite.data(), count)));
        }
        const Buffer<float> added = random.numbers(count);
        Buffer<float> sum = plain_buffer<float>(count), in_place = values;
        std::fill(sum.begin(), sum.end(), untouched);
        const float largest_of_sum = kernels.add_scaled(sum.data(), values.data(), added.data(), -0.7f, count);
        CHECK(kernels.add_scaled(in_place.data(), in_place.data(), added.data(), -0.7f, count) == largest_of_sum);
        CHECK(largest_of_sum == kernels.largest_size(sum.data(), count));
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const bool inside = i < static_cast<std::size_t>(count);
            CHECK(in_place[i] == (inside ? sum[i] : values[i]));
            const double tolerance = 1e-6 * (1 + std::abs(static_cast<double>(values[i])));
            if (inside) CHECK_NEAR(sum[i], values[i] - 0.7f * added[i], tolerance);
            if (!inside) CHECK(sum[i] == untouched);
        }
        Buffer<float> multiplied = values;
        kernels.multiply_by(multiplied.data(), count, -0.3f);
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(multiplied[i] == (i < static_cast<std::size_t>(count) ? values[i] * -0.3f : values[i]));
        }
    }
}

TEST(a_transposed_matrix_of_any_size_has_rows_for_columns) {
    Random random(40);
    for (int64_t rows : {0, 1, 3, 4, 5, 8, 11}) {
        for (int64_t columns : {0, 1, 2, 4, 7, 8, 13}) {
            for (int64_t margin : {0, 3}) {
                const int64_t from_row = columns + margin, to_row = rows + 2 * margin;
                const Buffer<float> from = random.numbers(rows * from_row);
                Buffer<float> to = plain_buffer<float>(columns * to_row);
                std::fill(to.begin(), to.end(), untouched);
                kernels.transpose(from.data(), from_row, to.data(), to_row, rows, columns);
                for (int64_t i = 0; i < static_cast<int64_t>(to.size()); ++i) {
                    const int64_t column = to_row > 0 ? i / to_row : columns, row = to_row > 0 ? i % to_row : 0;
                    const bool inside = column < columns && row < rows;
                    CHECK(to.data()[i] == (inside ? from.data()[row * from_row + column] : untouched));
                }
            }
        }
    }
}

}  // namespace convscope::test
