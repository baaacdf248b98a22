// The products of bfloat16 numbers against their formula in double, with operands rounded by plain arithmetic, for
// every number of rows that a tile can be left with; on every instruction set, those with instructions for it and the
// others.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

constexpr Finish all_finishes[] = {Finish::store, Finish::accumulate, Finish::bias, Finish::bias_relu,
                                   Finish::store_where_positive};

// Returns the value of a bfloat16 number, which is the upper half of a float.
double value_of(uint16_t number) {
    const uint32_t bits = static_cast<uint32_t>(number) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

// Rounds to eight significant bits, to nearest, ties to even: the definition of rounding to bfloat16.
double round_to_eight_bits(double value) {
    if (value == 0) return 0;
    const double unit = std::ldexp(1.0, std::ilogb(value) - 7);
    return std::nearbyint(value / unit) * unit;
}

struct Case {
    int64_t runs, rows, columns, segments, length;  // `rows` are those of a run
};

// The operands of a Bfloat16Product, C(m, n) = sum over segments q and k of A(m, q, k) B(q, k, n):
//     A(m, q, k) is number  run a_run + row a_row + a_segments[q] + k  of `a`, with m = run rows + row
//     B(q, k, n) is at  ((panel segments + q) length + k) width + column  of `b`, with n = panel width + column; the
//         engine gets its rows in pairs, and with zeros instead of those rows k whose b_rows[k] is -1
//     C(m, n) is at  c_rows[m] + n; a row whose offset is -1 is not stored
// Segments, rows, runs and panels are followed by unused numbers, to find wrong offsets. Rows of C are in reverse
// order, and every seventh is not stored.
struct Operands {
    Operands(const Kernels& kernels, const Case& sizes, Random& random)
        : shape(sizes), width(kernels.panel_width), panels((sizes.columns + width - 1) / width) {
        product.a_row = sizes.segments * (sizes.length + 3) + 1;
        product.a_run = sizes.rows * product.a_row + 5;
        for (int64_t q = 0; q < sizes.segments; ++q)
            a_segments.push_back((sizes.segments - 1 - q) * (sizes.length + 3));
        for (int64_t m = 0; m < sizes.runs * sizes.rows; ++m) {
            c_rows.push_back(m % 7 == 5 ? -1 : (sizes.runs * sizes.rows - 1 - m) * (panels * width + 1));
            mask_rows.push_back(m * (panels * width + 3));
        }
        const int64_t size = sizes.runs * product.a_run + 3 * bfloat16_rows * product.a_row + 2 * bfloat16_step;
        const Buffer<float> numbers = random.numbers(size);
        a.resize(static_cast<std::size_t>(size));
        kernels.round_to_bfloat16(numbers.data(), size, a.data());
        b = random.numbers(panels * sizes.segments * sizes.length * width);
        for (int64_t k = 0; k < sizes.length; ++k) b_rows.push_back(k % 4 == 2 ? -1 : k * width);
        const int64_t segment = bfloat16_padded(sizes.length) * width;
        product.b_panel = sizes.segments * segment;
        packed.resize(static_cast<std::size_t>(panels * product.b_panel));
        for (int64_t i = 0; i < panels * sizes.segments; ++i) {
            kernels.pair_rows(b.data() + i * sizes.length * width, b_rows.data(), sizes.length,
                              packed.data() + i * segment);
        }
        bias = random.numbers(panels * (width + 2));
        mask = random.numbers(sizes.runs * sizes.rows * (panels * width + 3));
        result = plain_buffer<float>(sizes.runs * sizes.rows * (panels * width + 1));
        std::fill(result.begin(), result.end(), untouched);
        product.a = a.data();
        product.a_segments = a_segments.data();
        product.segments = sizes.segments;
        product.length = sizes.length;
        product.b = packed.data();
        product.runs = sizes.runs;
        product.rows = sizes.rows;
        product.columns = sizes.columns;
        product.c = result.data();
        product.c_rows = c_rows.data();
        product.c_panel = width;
        product.bias_panel = width + 2;
    }

    // Returns the sum for row m, counted over all runs, and column n.
    double sum(int64_t m, int64_t n) const {
        const int64_t start = m / shape.rows * product.a_run + m % shape.rows * product.a_row;
        double sum = 0;
        for (int64_t q = 0; q < shape.segments; ++q) {
            for (int64_t k = 0; k < shape.length; ++k) {
                if (b_rows[static_cast<std::size_t>(k)] < 0) continue;
                const int64_t from = start + a_segments[static_cast<std::size_t>(q)] + k;
                const int64_t row = (n / width * shape.segments + q) * shape.length + k;
                sum += value_of(a[static_cast<std::size_t>(from)]) *
                       round_to_eight_bits(static_cast<double>(b[static_cast<std::size_t>(row * width + n % width)]));
            }
        }
        return sum;
    }
    double bias_at(int64_t n) const {
        return static_cast<double>(bias[static_cast<std::size_t>(n / width * product.bias_panel + n % width)]);
    }

    Case shape;
    int64_t width, panels;
    Bfloat16Product product;
    std::vector<int64_t> a_segments, b_rows, c_rows, mask_rows;
    std::vector<uint16_t> a;
    Buffer<uint16_t> packed;
    Buffer<float> b, bias, mask, result;
};

// Returns number (m, n) of C after the product.
double finish_sum(const Operands& operands, Finish finish, int64_t m, int64_t n) {
    const double sum = operands.sum(m, n);
    switch (finish) {
        case Finish::accumulate:
            return sum + static_cast<double>(untouched);
        case Finish::bias:
            return sum + operands.bias_at(n);
        case Finish::bias_relu:
            return std::max(sum + operands.bias_at(n), 0.0);
        case Finish::store_where_positive:
            return operands.mask[static_cast<std::size_t>(operands.mask_rows[static_cast<std::size_t>(m)] + n)] > 0
                       ? sum
                       : 0;
        default:
            return sum;
    }
}

void check_product(const Kernels& kernels, const Case& sizes, Finish finish, Random& random) {
    Operands operands(kernels, sizes, random);
    operands.product.finish = finish;
    if (finish == Finish::bias || finish == Finish::bias_relu) operands.product.bias = operands.bias.data();
    if (finish == Finish::store_where_positive) {
        operands.product.mask = operands.mask.data();
        operands.product.mask_rows = operands.mask_rows.data();
    }
    kernels.multiply_bfloat16(operands.product);
    const double tolerance = finish == Finish::accumulate ? 2e-3 : 1e-5;  // floats near 12345 are 1e-3 apart
    std::vector<double> wanted(operands.result.size(), static_cast<double>(untouched));
    for (int64_t m = 0; m < sizes.runs * sizes.rows; ++m) {
        const int64_t row = operands.c_rows[static_cast<std::size_t>(m)];
        for (int64_t n = 0; n < sizes.columns && row >= 0; ++n) {
            wanted[static_cast<std::size_t>(row + n)] = finish_sum(operands, finish, m, n);
        }
    }
    for (std::size_t i = 0; i < wanted.size(); ++i)
        CHECK_NEAR(static_cast<double>(operands.result[i]), wanted[i], tolerance);
}

}  // namespace

TEST(a_float_is_rounded_to_the_nearest_bfloat16) {
    Random random(1);
    Buffer<float> numbers = plain_buffer<float>(1000);
    for (float& number : numbers) number = random.number_of_size(-30, 30);
    numbers[0] = 1.00390625f;   // 1 + 1/256, half way between 1 and 1 + 2/256; 1 is even
    numbers[1] = -1.01171875f;  // 1 + 3/256, half way between 1 + 2/256 and 1 + 4/256, which is even
    numbers[2] = 0;
    std::vector<uint16_t> got(1000, 7);
    for (int64_t count : {0, 1, 3, 16, 37, 999}) {
        std::fill(got.begin(), got.end(), uint16_t{7});
        kernels.round_to_bfloat16(numbers.data(), count, got.data());
        for (int64_t i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            CHECK(value_of(got[at]) == round_to_eight_bits(static_cast<double>(numbers[at])));
        }
        for (std::size_t i = static_cast<std::size_t>(count); i < got.size(); ++i) CHECK(got[i] == 7);
    }
}

TEST(infinities_and_nan_survive_in_bfloat16) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    Buffer<float> numbers = plain_buffer<float>(5);
    const uint32_t odd_nan = 0x7fffffff;
    numbers[0] = infinity;
    numbers[1] = -infinity;
    numbers[2] = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(&numbers[3], &odd_nan, sizeof odd_nan);
    numbers[4] = std::numeric_limits<float>::max();  // nearer to 2^128, which is infinity, than to the largest bfloat16
    uint16_t got[5];
    kernels.round_to_bfloat16(numbers.data(), 5, got);
    CHECK(value_of(got[0]) == static_cast<double>(infinity) && value_of(got[1]) == -static_cast<double>(infinity));
    CHECK(std::isnan(value_of(got[2])) && std::isnan(value_of(got[3])));
    CHECK(value_of(got[4]) == static_cast<double>(infinity));
}

TEST(a_bfloat16_product_of_any_rows_and_columns_matches_its_formula) {
    Random random(2);
    const int64_t width = kernels.panel_width;
    for (int64_t rows : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50, 65}) {
        for (int64_t columns : {int64_t{1}, width / 2, width / 2 + 1, width, width + 1, 3 * width - 1}) {
            check_product(kernels, {1, rows, columns, 2, 5}, Finish::store, random);
        }
    }
}

TEST(a_bfloat16_product_of_any_runs_matches_its_formula) {
    Random random(3);
    for (int64_t runs : {0, 2, 3, 5}) {
        for (int64_t rows : {1, 9, 16, 18}) check_product(kernels, {runs, rows, 7, 2, 5}, Finish::store, random);
    }
}

TEST(a_bfloat16_product_of_any_segments_matches_its_formula) {
    Random random(4);
    for (int64_t segments : {1, 2, 5}) {
        for (int64_t length : {1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 70}) {
            check_product(kernels, {1, 19, kernels.panel_width + 3, segments, length}, Finish::store, random);
        }
    }
}

TEST(a_bfloat16_product_applies_its_finish) {
    Random random(5);
    for (Finish finish : all_finishes) {
        for (int64_t rows : {1, 8, 16, 40}) {
            for (int64_t columns : {int64_t{3}, kernels.panel_width, 2 * kernels.panel_width - 1}) {
                check_product(kernels, {2, rows, columns, 3, 4}, finish, random);
            }
        }
    }
}

TEST(the_order_of_a_bfloat16_sum_does_not_depend_on_other_rows) {
    Random random(6);
    Operands operands(kernels, {1, 45, kernels.panel_width, 3, 20}, random);
    kernels.multiply_bfloat16(operands.product);
    const Buffer<float> together = operands.result;
    std::fill(operands.result.begin(), operands.result.end(), untouched);
    operands.product.rows = 1;
    for (std::size_t m = 0; m < 45; ++m, operands.product.a += operands.product.a_row) {
        operands.product.c_rows = operands.c_rows.data() + m;
        kernels.multiply_bfloat16(operands.product);
    }
    CHECK(together == operands.result);
}

TEST(weights_and_maps_are_rounded_and_transposed_in_bfloat16) {
    Random random(8);
    const int64_t width = kernels.panel_width;
    const Buffer<float> numbers = random.numbers(100 * 100);
    for (int64_t count : {int64_t{1}, int64_t{5}, width}) {
        for (int64_t pairs : {int64_t{1}, width / 2}) {
            std::vector<uint16_t> got(static_cast<std::size_t>(width * width), 7);
            kernels.transpose_rows(numbers.data(), count, pairs, got.data());
            for (int64_t i = 0; i < width * width; ++i) {
                // The result has rows (pair of columns, row, 2).
                const int64_t row = i / 2 % width, column = i / (2 * width) * 2 + i % 2;
                const bool inside = row < count && column < 2 * pairs;
                const float number = numbers[static_cast<std::size_t>(row * width + column)];
                const uint16_t result = got[static_cast<std::size_t>(i)];
                if (inside) CHECK(value_of(result) == round_to_eight_bits(static_cast<double>(number)));
                if (!inside) CHECK(result == 7);
            }
        }
    }
    for (int64_t channels : {int64_t{1}, int64_t{3}, width + 1}) {
        for (int64_t count : {1, 2, 63, 64, 71}) {
            std::vector<int64_t> offsets;
            for (int64_t p = 0; p < count; ++p) offsets.push_back((count - 1 - p) * channels);
            const int64_t row = (count + 1) / 2 * 2;
            std::vector<uint16_t> got(static_cast<std::size_t>(channels * row));
            kernels.by_channels(numbers.data(), offsets.data(), count, channels, got.data(), row);
            for (int64_t channel = 0; channel < channels; ++channel) {
                for (int64_t p = 0; p < row; ++p) {
                    const auto from = static_cast<std::size_t>((count - 1 - p) * channels + channel);
                    const double wanted = p < count ? round_to_eight_bits(static_cast<double>(numbers[from])) : 0;
                    CHECK(value_of(got[static_cast<std::size_t>(channel * row + p)]) == wanted);
                }
            }
        }
    }
}

}  // namespace convscope::test
