// The matrix product against its formula in plain loops, for every number of rows a tile can be left with, every number
// of columns around a register's width, and every way to finish.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "numbers.hpp"

namespace convscope::test {
namespace {

struct Case {
    int64_t rows, columns, segments, length, a_step;
};

// The operands of a Product, C(m, n) = sum over segments q and k of A(m, q, k) B(q, k, n), with as many panels as the
// columns need:
//     A(m, q, k) is number  a_rows[m] + q a_segment + k a_step  of `a`
//     B(q, k, n) is at  panel b_panel + q b_segment + k b_step + column  of `b`, with n = panel width + column
//     C(m, n) is at  c_rows[m] + n
// Rows of A and C are not in order, and rows, segments and panels are followed by unused numbers, to find wrong
// offsets.
struct Operands {
    Operands(const Kernels& kernels, const Case& sizes, Random& random) : shape(sizes), width(kernels.panel_width) {
        const int64_t panels = (sizes.columns + width - 1) / width;
        row_size = panels * width + 1;
        product.rows = sizes.rows;
        product.columns = sizes.columns;
        product.segments = sizes.segments;
        product.length = sizes.length;
        product.a_step = sizes.a_step;
        product.a_segment = sizes.length * sizes.a_step + 3;
        product.b_step = width;
        product.b_segment = sizes.length * width;
        product.b_panel = sizes.segments * sizes.length * width + 2 * width;
        const int64_t row = sizes.segments * product.a_segment + 1;
        for (int64_t m = 0; m < sizes.rows; ++m) {
            a_rows.push_back((sizes.rows - 1 - m) * row + m % 2);
            c_rows.push_back((m * 5 + 2) % sizes.rows * row_size);
            mask_rows.push_back(m * (row_size + 2));
        }
        if (sizes.rows % 5 == 0) {  // then 5 m + 2 is not a permutation
            for (int64_t m = 0; m < sizes.rows; ++m) c_rows[static_cast<std::size_t>(m)] = m * row_size;
        }
        a = random.numbers(sizes.rows * row + 16);
        b = random.numbers(panels * product.b_panel);
        bias = random.numbers(panels * product.b_panel);
        mask = random.numbers(sizes.rows * (row_size + 2));
        result = plain_buffer<float>(sizes.rows * row_size);
        product.a = a.data();
        product.a_rows = a_rows.data();
        product.b = b.data();
        product.c = result.data();
        product.c_rows = c_rows.data();
    }

    // Number k of segment q of row m of A, `offset` numbers further on.
    double a_at(int64_t m, int64_t q, int64_t k, int64_t offset) const {
        return static_cast<double>(a[static_cast<std::size_t>(a_rows[static_cast<std::size_t>(m)] +
                                                              q * product.a_segment + k * product.a_step + offset)]);
    }
    int64_t column(int64_t n) const { return n / width * product.b_panel + n % width; }
    double sum(int64_t m, int64_t n, int64_t offset = 0) const {
        double sum = 0;
        for (int64_t q = 0; q < shape.segments; ++q) {
            for (int64_t k = 0; k < shape.length; ++k) {
                const auto at = static_cast<std::size_t>(q * product.b_segment + k * product.b_step + column(n));
                sum += a_at(m, q, k, offset) * static_cast<double>(b[at]);
            }
        }
        return sum;
    }
    double bias_at(int64_t n) const { return static_cast<double>(bias[static_cast<std::size_t>(column(n))]); }

    Case shape;
    int64_t width, row_size;
    Product product;
    std::vector<int64_t> a_rows, c_rows, mask_rows;
    Buffer<float> a, b, bias, mask, result;
};

// Returns number (m, n) of C after the product.
double finish_sum(const Operands& operands, Finish finish, int64_t m, int64_t n) {
    const double sum = operands.sum(m, n);
    const double bias = operands.bias_at(n);
    const auto at = static_cast<std::size_t>(operands.mask_rows[static_cast<std::size_t>(m)] + n);
    switch (finish) {
        case Finish::accumulate:
            return sum + static_cast<double>(untouched);
        case Finish::bias:
            return sum + bias;
        case Finish::bias_relu:
            return std::max(sum + bias, 0.0);
        case Finish::store_where_positive:
            return operands.mask[at] > 0 ? sum : 0;
        default:
            return sum;
    }
}

void check_product(const Kernels& kernels, const Case& sizes, Finish finish, Random& random) {
    Operands operands(kernels, sizes, random);
    std::fill(operands.result.begin(), operands.result.end(), untouched);
    operands.product.finish = finish;
    if (finish == Finish::bias || finish == Finish::bias_relu) operands.product.bias = operands.bias.data();
    if (finish == Finish::store_where_positive) {
        operands.product.mask = operands.mask.data();
        operands.product.mask_rows = operands.mask_rows.data();
    }
    kernels.multiply(operands.product);
    const double tolerance = finish == Finish::accumulate ? 2e-3 : 1e-5;  // floats near 12345 are 1e-3 apart
    for (int64_t m = 0; m < sizes.rows; ++m) {
        const float* row = operands.result.data() + operands.c_rows[static_cast<std::size_t>(m)];
        for (int64_t n = 0; n < sizes.columns; ++n) {
            CHECK_NEAR(static_cast<double>(row[n]), finish_sum(operands, finish, m, n), tolerance);
        }
        for (int64_t n = sizes.columns; n < operands.row_size; ++n) CHECK(row[n] == untouched);
    }
}

// Returns numbers of columns for one panel (two registers), for the 2 and 4 panels that a tile of few rows may have,
// and for more.
std::vector<int64_t> columns_around(const Kernels& kernels) {
    const int64_t width = kernels.vector_width;
    std::vector<int64_t> columns = {1, 4 * width, 6 * width + 3, 15 * width + 1};
    for (int64_t around : {width, 2 * width}) columns.insert(columns.end(), {around - 1, around, around + 1});
    return columns;
}

}  // namespace

TEST(a_product_of_any_rows_and_columns_matches_its_formula) {
    Random random(1);
    for (int64_t rows = 1; rows <= 19; ++rows) {
        for (int64_t columns : columns_around(kernels)) {
            check_product(kernels, {rows, columns, 2, 3, 1}, Finish::store, random);
        }
    }
}

TEST(a_product_of_any_segments_and_steps_matches_its_formula) {
    Random random(2);
    for (int64_t segments : {1, 2, 5}) {
        for (int64_t length : {1, 2, 7, 40}) {
            for (int64_t step : {1, 2, 5})
                check_product(kernels, {11, 5, segments, length, step}, Finish::store, random);
        }
    }
}

TEST(a_product_of_length_zero_is_zero) {
    Random random(3);
    check_product(kernels, {9, 3, 1, 0, 1}, Finish::store, random);
    check_product(kernels, {9, 3, 1, 0, 1}, Finish::bias, random);
}

TEST(a_product_applies_its_finish) {
    Random random(4);
    for (Finish finish : {Finish::accumulate, Finish::bias, Finish::bias_relu, Finish::store_where_positive}) {
        for (int64_t rows : {1, 2, 3, 4, 7, 8, 17}) {
            for (int64_t columns : columns_around(kernels)) {
                check_product(kernels, {rows, columns, 3, 4, 1}, finish, random);
            }
        }
    }
}

TEST(the_order_of_a_sum_does_not_depend_on_the_tile) {
    Random random(5);
    for (int64_t columns : columns_around(kernels)) {
        Operands operands(kernels, {17, columns, 3, 20, 1}, random);
        kernels.multiply(operands.product);
        const Buffer<float> together = operands.result;
        for (int64_t rows = 1; rows <= 4; ++rows) {  // at a time
            std::fill(operands.result.begin(), operands.result.end(), untouched);
            for (int64_t m = 0; m < 17; m += rows) {
                operands.product.rows = std::min(rows, 17 - m);
                operands.product.a_rows = operands.a_rows.data() + m;
                operands.product.c_rows = operands.c_rows.data() + m;
                kernels.multiply(operands.product);
            }
            for (int64_t start : operands.c_rows) {
                for (int64_t n = 0; n < columns; ++n) {
                    const auto at = static_cast<std::size_t>(start + n);
                    CHECK(operands.result[at] == together[at]);
                }
            }
        }
    }
}

TEST(batched_products_equal_single_products) {
    Random random(7);
    for (int64_t columns : columns_around(kernels)) {
        Operands operands(kernels, {10, columns, 2, 6, 1}, random);
        const int64_t size = static_cast<int64_t>(operands.result.size());
        operands.product.products = 3;
        operands.product.a_product = 1;
        operands.product.b_product = operands.width;  // the next product begins one row of B later
        operands.product.c_product = size;
        Buffer<float> together = plain_buffer<float>(3 * size);
        operands.product.c = together.data();
        kernels.multiply(operands.product);
        Buffer<float> alone = plain_buffer<float>(3 * size);
        operands.product.products = 1;
        for (int64_t i = 0; i < 3; ++i) {
            operands.product.c = alone.data() + i * size;
            kernels.multiply(operands.product);
            operands.product.a += operands.product.a_product;
            operands.product.b += operands.product.b_product;
        }
        CHECK(together == alone);
    }
}

TEST(a_pooled_product_keeps_the_largest_of_four_and_its_index) {
    Random random(6);
    for (Finish finish : {Finish::pool, Finish::pool_relu}) {
        for (int64_t cells = 1; cells <= 9; ++cells) {
            for (int64_t columns : columns_around(kernels)) {
                Operands operands(kernels, {cells, columns, 2, 6, 1}, random);
                std::fill(operands.result.begin(), operands.result.end(), untouched);
                // Pixel j of a cell reads A from window[j] numbers further on; the offsets may be any.
                const int64_t window[4] = {0, 1, 4, 7}, winner_row = columns + 2;
                Buffer<int32_t> winners = plain_buffer<int32_t>(cells * winner_row);
                std::fill(winners.begin(), winners.end(), -1);
                std::copy(window, window + 4, operands.product.window);
                operands.product.finish = finish;
                operands.product.bias = operands.bias.data();
                operands.product.winners = winners.data();
                operands.product.winner_row = winner_row;
                std::vector<int32_t> order;  // in reverse order, without the last cell if there are several
                for (int64_t m = cells > 1 ? cells - 1 : 1; m-- > 0;) order.push_back(static_cast<int32_t>(m));
                operands.product.order = order.data();
                operands.product.rows = static_cast<int64_t>(order.size());
                kernels.multiply(operands.product);
                for (int64_t m = operands.product.rows; m < cells; ++m) {
                    CHECK(operands.result[static_cast<std::size_t>(operands.c_rows[static_cast<std::size_t>(m)])] ==
                          untouched);
                    CHECK(winners[static_cast<std::size_t>(m * winner_row)] == -1);
                }
                for (int64_t m = 0; m < operands.product.rows; ++m) {
                    const float* row = operands.result.data() + operands.c_rows[static_cast<std::size_t>(m)];
                    const int32_t* winner = winners.data() + m * winner_row;
                    for (int64_t n = 0; n < columns; ++n) {
                        double largest = operands.sum(m, n, window[0]);
                        for (int j = 1; j < 4; ++j) largest = std::max(largest, operands.sum(m, n, window[j]));
                        CHECK(winner[n] >= 0 && winner[n] < 4);
                        CHECK_NEAR(operands.sum(m, n, window[winner[n] & 3]), largest, 1e-6);
                        largest += operands.bias_at(n);
                        CHECK_NEAR(static_cast<double>(row[n]),
                                   finish == Finish::pool ? largest : std::max(largest, 0.0), 1e-5);
                    }
                    for (int64_t n = columns; n < operands.row_size; ++n) CHECK(row[n] == untouched);
                    for (int64_t n = columns; n < winner_row; ++n) CHECK(winner[n] == -1);
                }
                const Buffer<float> with_winners = operands.result;
                operands.product.winners = nullptr;
                kernels.multiply(operands.product);
                CHECK(operands.result == with_winners);
            }
        }
    }
}

}  // namespace convscope::test
