// The matrix product of convolutions and dense layers; `Product` has its formula.
//
//                     B: one panel, two registers wide
//                       [b0][b1]                        A tile of TILE_ROWS x 2 registers of sums stays in registers. Each
//     A: one number  a0 [s ][s ]  sums += a * b         step of the sum loads two vectors of B, shared by all rows, and one
//     for each row   a1 [s ][s ]                        number of A for each row, shared by both columns.
//
// With few rows, a tile has several panels, so that enough independent additions are in flight. Every sum is added in
// the same order in every tile, so the tiles do not change results. Finish::pool has tiles of its own, of cells: four
// rows, the pixels of a pooling window; the largest of their sums is stored. The functions call each other from the end
// of the file up:
//
//     multiply -> multiply_once, panel by panel -> multiply_rows, tile by tile -> sum_up, then finish_rows
//                                                  multiply_and_pool           -> sum_up_cells, then finish_pool
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// Steps of the sum by which B is prefetched. After a training step half of the panels are in another core's cache.
constexpr int64_t steps_ahead = 32;

// Adds the products of M rows from `row` on and V registers of columns to `sums`.
template <int M, int V>
CONVSCOPE_INLINE void sum_up(const Product& p, int64_t row, Vector (&sums)[M][V]) {
    int64_t rows[M];
    CONVSCOPE_UNROLL
    for (int m = 0; m < M; ++m) rows[m] = p.a_rows[row + m];
    const int64_t a_step = p.a_step, b_step = p.b_step, length = p.length;
    const float* segment = p.b;
    const float* first = p.a;  // the number of the segment's first step in a row that begins at 0
    for (int64_t q = 0; q < p.segments; ++q, segment += p.b_segment) {
        if (q > 0) first += p.a_jumps ? p.a_jumps[q - 1] : p.a_segment;
        const float* b[(V + 1) / 2];  // a pointer for each panel
        CONVSCOPE_UNROLL
        for (int v = 0; v < V; v += 2) b[v / 2] = segment + v / 2 * p.b_panel;
        const float* const end = segment + length * b_step;
        for (const float* at = first; b[0] != end; at += a_step) {
            CONVSCOPE_KEEP(at);  // one pointer for all rows, instead of one for each
            Vector columns[V];
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; ++v) {
                const float* column = b[v / 2] + v % 2 * width;
                columns[v] = load(column);
                if (V > 1) __builtin_prefetch(column + steps_ahead * panel);
            }
            CONVSCOPE_UNROLL
            for (int m = 0; m < M; ++m) {
                const Vector number = broadcast(at[rows[m]]);
                CONVSCOPE_UNROLL
                for (int v = 0; v < V; ++v) sums[m][v] += number * columns[v];
            }
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; v += 2) b[v / 2] += b_step;
        }
    }
}

template <int M, int V>
CONVSCOPE_INLINE void finish_rows(const Product& p, int64_t row, Vector (&sums)[M][V]) {
    const auto for_sums = [&](const auto& change) CONVSCOPE_INLINE_LAMBDA {
        CONVSCOPE_UNROLL
        for (int m = 0; m < M; ++m) {
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; ++v) change(sums[m][v], m, v);
        }
    };
    const Vector zero{};
    float* c[M];
    CONVSCOPE_UNROLL
    for (int m = 0; m < M; ++m) c[m] = p.c + p.c_rows[row + m];
    if (p.finish == Finish::bias || p.finish == Finish::bias_relu) {
        Vector bias[V];
        CONVSCOPE_UNROLL
        for (int v = 0; v < V; ++v) bias[v] = load(p.bias + v / 2 * p.b_panel + v % 2 * width);
        for_sums([&](Vector& sum, int, int v) CONVSCOPE_INLINE_LAMBDA { sum += bias[v]; });
        if (p.finish == Finish::bias_relu) {
            for_sums([&](Vector& sum, int, int) CONVSCOPE_INLINE_LAMBDA { sum = sum > zero ? sum : zero; });
        }
    } else if (p.finish == Finish::accumulate) {
        for_sums([&](Vector& sum, int m, int v) CONVSCOPE_INLINE_LAMBDA { sum += load(c[m] + v * width); });
    } else if (p.finish == Finish::store_where_positive) {
        const float* mask[M];
        CONVSCOPE_UNROLL
        for (int m = 0; m < M; ++m) mask[m] = p.mask + p.mask_rows[row + m];
        for_sums([&](Vector& sum, int m, int v)
                     CONVSCOPE_INLINE_LAMBDA { sum = load(mask[m] + v * width) > zero ? sum : zero; });
    }
    const int64_t columns = p.columns;
    if (columns >= V * width) {
        for_sums([&](Vector& sum, int m, int v) CONVSCOPE_INLINE_LAMBDA { store(c[m] + v * width, sum); });
    } else {
        for_sums([&](Vector& sum, int m, int v)
                     CONVSCOPE_INLINE_LAMBDA { store_first(c[m] + v * width, sum, columns - v * width); });
    }
}

// Adds the products of C cells of four pixels to `sums`. A cell needs one pointer, and all cells share the offsets of
// the window, which leaves registers for more sums. L is the length of the segments if it is known at compile time, as
// for the first convolution of a grey image, so that the short loop is unrolled; else 0.
template <int C, int V, int L>
CONVSCOPE_INLINE void sum_up_cells(const Product& p, const int32_t* cells, Vector (&sums)[4 * C][V]) {
    const float* a[C];
    CONVSCOPE_UNROLL
    for (int c = 0; c < C; ++c) a[c] = p.a + p.a_rows[cells[c]];
    const int64_t window[4] = {0, p.window[1], p.window[2], p.window[3]};
    const int64_t b_step = p.b_step, next_segment = p.a_segment - p.length;
    const float* segment = p.b;
    for (int64_t q = 0; q < p.segments; ++q) {
        const float* b = segment;
        const auto step = [&]() CONVSCOPE_INLINE_LAMBDA {
            Vector columns[V];
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; ++v) columns[v] = load(b + v * width);
            CONVSCOPE_UNROLL
            for (int m = 0; m < 4 * C; ++m) {
                const Vector number = broadcast(a[m / 4][window[m % 4]]);
                CONVSCOPE_UNROLL
                for (int v = 0; v < V; ++v) sums[m][v] += number * columns[v];
            }
            b += b_step;
            CONVSCOPE_UNROLL
            for (int c = 0; c < C; ++c) ++a[c];
        };
        if constexpr (L > 0) {
            CONVSCOPE_UNROLL
            for (int k = 0; k < L; ++k) step();
        } else {
            for (int64_t k = p.length; k > 0; --k) step();
        }
        CONVSCOPE_UNROLL
        for (int c = 0; c < C; ++c) a[c] += next_segment;
        segment += p.b_segment;
    }
}

template <int C, int V>
CONVSCOPE_INLINE void finish_pool(const Product& p, const int32_t* cells, Vector (&sums)[4 * C][V]) {
    const Vector zero{};
    int32_t* const winners = p.winners;
    const int64_t columns = p.columns, winner_row = p.winner_row;
    const bool has_relu = p.finish == Finish::pool_relu;
    Vector bias[V];
    float* c[C];
    CONVSCOPE_UNROLL
    for (int v = 0; v < V; ++v) bias[v] = load(p.bias + v * width);
    CONVSCOPE_UNROLL
    for (int i = 0; i < C; ++i) c[i] = p.c + p.c_rows[cells[i]];
    const auto finish = [&](auto whole) CONVSCOPE_INLINE_LAMBDA {
        CONVSCOPE_UNROLL
        for (int i = 0; i < C; ++i) {
            CONVSCOPE_UNROLL
            for (int v = 0; v < V; ++v) {
                const int64_t count = whole ? width : columns - v * width;
                const Vector values[4] = {sums[4 * i][v], sums[4 * i + 1][v], sums[4 * i + 2][v], sums[4 * i + 3][v]};
                int32_t* winner = winners ? winners + cells[i] * winner_row + v * width : nullptr;
                Vector largest = largest_of_four(values, winner, count) + bias[v];
                if (has_relu) largest = largest > zero ? largest : zero;
                store_first(c[i] + v * width, largest, count);
            }
        }
    };
    columns >= V * width ? finish(true_type()) : finish(false_type());
}

template <int M, int V>
void tile(const Product& p, int64_t row) {
    Vector sums[M][V] = {};
    sum_up<M, V>(p, row, sums);
    finish_rows<M, V>(p, row, sums);
}

// Calls `tile` for `rows` rows, at most M: the compiler must know their number, so M, M - 1, ... are compared with it.
template <int M, int V>
void tile_of_rows(const Product& p, int64_t row, int64_t rows) {
    if constexpr (M > 0) {
        if (rows == M) {
            tile<M, V>(p, row);
        } else {
            tile_of_rows<M - 1, V>(p, row, rows);
        }
    }
}

template <int V>
void multiply_rows(const Product& p) {
    // As few tiles as possible, of about equal height: 25 rows are 9 + 8 + 8 rather than 9 + 9 + 7.
    constexpr int M = CONVSCOPE_TILE_ROWS;
    const int64_t tiles = (p.rows + M - 1) / M, rows = p.rows / tiles, higher = p.rows % tiles;
    const Fetch fetches[2] = {{p.fetches[0].from, p.fetches[0].step / tiles}, {p.fetches[1].from, p.fetches[1].step / tiles}};
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
        for (const Fetch& fetch : fetches) prefetch(fetch.from + t * fetch.step, fetch.from + (t + 1) * fetch.step);
        const int64_t count = rows + (t < higher);
        tile_of_rows<M, V>(p, row, count);
        row += count;
    }
}

template <int C, int V, int L>
CONVSCOPE_INLINE void tile_of_cells(const Product& p, int64_t first) {
    Vector sums[4 * C][V] = {};
    sum_up_cells<C, V, L>(p, p.order + first, sums);
    finish_pool<C, V>(p, p.order + first, sums);
}

template <int C, int V, int L>
void multiply_and_pool(const Product& p) {
    int64_t first = 0;
    for (; first + C <= p.rows; first += C) tile_of_cells<C, V, L>(p, first);
    for (; first < p.rows; ++first) tile_of_cells<1, V, L>(p, first);
}

// Without segments, for cells that read zeros alone, all sums are zero, so every cell gets the bias, after relu.
void pool_nothing(const Product& p) {
    const Vector zero{};
    for (int64_t column = 0; column < p.columns; column += width) {
        Vector value = load(p.bias + column);
        if (p.finish == Finish::pool_relu) value = value > zero ? value : zero;
        for (int64_t i = 0; i < p.rows; ++i) {
            const int64_t cell = p.order[i];
            store_first(p.c + p.c_rows[cell] + column, value, p.columns - column);
            if (p.winners) store_first(p.winners + cell * p.winner_row + column, Mask{}, p.columns - column);
        }
    }
}

template <int C, int V>
void multiply_and_pool(const Product& p) {
    if (p.segments == 0) return pool_nothing(p);
    switch (p.length) {
        case 3: return multiply_and_pool<C, V, 3>(p);
        case 5: return multiply_and_pool<C, V, 5>(p);
        default: return multiply_and_pool<C, V, 0>(p);
    }
}

void multiply_panel(const Product& p) {
    const bool narrow = p.columns <= width;
    if (p.finish == Finish::pool || p.finish == Finish::pool_relu) {
        narrow ? multiply_and_pool<CONVSCOPE_NARROW_CELLS, 1>(p) : multiply_and_pool<CONVSCOPE_WIDE_CELLS, 2>(p);
    } else {
        narrow ? multiply_rows<1>(p) : multiply_rows<2>(p);
    }
}

// Moves a product on by `panels` panels of columns.
CONVSCOPE_INLINE void skip(Product& p, int64_t panels) {
    p.b += panels * p.b_panel;
    if (p.bias) p.bias += panels * p.b_panel;
    if (p.mask) p.mask += panels * panel;
    if (p.winners) p.winners += panels * panel;
    p.c += panels * panel;
    p.columns -= panels * panel;
}

// Multiplies P panels at once until fewer are left.
template <int M, int P>
void multiply_panels(Product& p) {
    for (; p.columns > (P - 1) * panel; skip(p, P)) tile<M, 2 * P>(p, 0);
}

// Two multiply-adds start each cycle and take four, so eight sums keep a core busy: four panels of one row, or two of two.
void multiply_once(const Product& product) {
    if (product.columns <= panel) {
        multiply_panel(product);
        return;
    }
    Product p = product;
    if (p.finish != Finish::pool && p.finish != Finish::pool_relu) {
        if (p.rows == 1) multiply_panels<1, 4>(p);
        if (p.rows <= 2) {
            p.rows == 1 ? multiply_panels<1, 2>(p) : multiply_panels<2, 2>(p);
        } else if (p.rows == 3 && CONVSCOPE_TILE_ROWS >= 8) {
            multiply_panels<3, 2>(p);  // 12 sums, 4 vectors of B and 1 of A: more than the 16 registers of AVX2
        }
    }
    for (; p.columns > 0; skip(p, 1)) {
        Product single = p;
        single.columns = p.columns < panel ? p.columns : panel;
        multiply_panel(single);
    }
}

}  // namespace

void multiply(const Product& product) {
    Product p = product;
    for (int64_t remaining = p.products; remaining > 0; --remaining) {
        multiply_once(p);
        p.a += p.a_product;
        p.b += p.b_product;
        p.c += p.c_product;
        for (Fetch& fetch : p.fetches) fetch.from += fetch.step;
        if (p.bias) p.bias += p.b_product;
        if (p.mask) p.mask += p.c_product;
    }
}

}  // namespace convscope::CONVSCOPE_ISA
