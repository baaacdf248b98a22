// The backward pass through relu, pooling and convolution at once, which only computes with winners.
//
//     corners of a cell:   0 1      Only the winning corner w has a gradient, and none if relu was zero: at most a quarter
//                          2 3      of the work of the plain gradient.
//
// With g the gradient of a cell and filter f, and x = cell_offsets[cell] + window[w] + r input_row + i:
//     kernel[f, r, i] += g input[x]        input_gradient[x] += g kernel[f, r, i]
// where r is a kernel row and i one of its `run` numbers (kernel columns x channels), contiguous in the input. The second
// is in winners_input.cpp.
//
// Two functions at the end of the file, each with its own helpers: winners_kernel_by_filters (`ByFilters`: a vector of
// filters, each corner masked by who won there; or `ByPermutations`) and winners_kernel_by_runs (`ByRuns`: for one filter
// the list of its winners, and vectors along i). `for_blocks` keeps the sums of a few rows and columns in registers.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

constexpr int max_sums = 12;  // registers of sums: enough to hide the latency of multiply-add, few enough for AVX2
constexpr int64_t max_columns = 6;  // the widest block of for_blocks
constexpr int64_t rows_of_block(int64_t columns) { return columns <= 4 ? 3 : 2; }

// Calls block.run<R, J>(r, j) if the block at row r and column j has R rows and J columns: only arrays whose size is known
// to the compiler stay in registers, so each size has code of its own.
template <int R, int J, class Block>
CONVSCOPE_INLINE void run_if_size(const Block& block, int64_t rows, int64_t columns, int64_t r, int64_t j) {
    if constexpr (R * J <= max_sums) {
        if (rows == R && columns == J) block.template run<R, J>(r, j);
    }
}

// Cuts the rest of a row into widths that are about equal: 8 columns into 5 + 3 and 10 into 5 + 5, not 6 + 2 and 6 + 4.
constexpr int64_t columns_of_block(int64_t rest) {
    return rest <= max_columns ? rest : (rest == 8 || rest >= 10 ? 5 : 6);
}

// Calls block.run<R, J>(r, j) for blocks that cover rows x columns. Of 3 rows and 8 columns:
//
//     2 x 5 | 3 x 3      first the two blocks on the left, whose height max_sums = 12 limits,
//     1 x 5 |            then that on the right
template <class Block>
void for_blocks(const Block& block, int64_t rows, int64_t columns) {
    for (int64_t j = 0, w; j < columns; j += w) {
        w = columns_of_block(columns - j);
        for (int64_t r = 0, h; r < rows; r += h) {
            h = rows - r < rows_of_block(w) ? rows - r : rows_of_block(w);
            run_if_size<1, 1>(block, h, w, r, j), run_if_size<2, 1>(block, h, w, r, j), run_if_size<3, 1>(block, h, w, r, j);
            run_if_size<1, 2>(block, h, w, r, j), run_if_size<2, 2>(block, h, w, r, j), run_if_size<3, 2>(block, h, w, r, j);
            run_if_size<1, 3>(block, h, w, r, j), run_if_size<2, 3>(block, h, w, r, j), run_if_size<3, 3>(block, h, w, r, j);
            run_if_size<1, 4>(block, h, w, r, j), run_if_size<2, 4>(block, h, w, r, j), run_if_size<3, 4>(block, h, w, r, j);
            run_if_size<1, 5>(block, h, w, r, j), run_if_size<2, 5>(block, h, w, r, j);
            run_if_size<1, 6>(block, h, w, r, j), run_if_size<2, 6>(block, h, w, r, j);
        }
    }
}

// Adds sums to the gradient of R rows by J weights that begins at `to`, for a vector of filters from `filter` on.
template <int R, int J>
void add_to_panel(const WinnersImage& p, int64_t filter, const Vector (&sums)[R][J], float* to) {
    for (int r = 0; r < R; ++r) {
        for (int j = 0; j < J; ++j) {
            float* at = to + (r * p.run + j) * panel;
            store_first(at, load(at) + sums[r][j], p.filters - filter);
        }
    }
}

// The gradient of R rows by J single weights, for a vector of filters. A cell adds, for each corner, the number that the
// weight reads there times the gradients of those filters whose winner it is.
struct ByFilters {
    const WinnersImage& p;
    int64_t filter;
    float* panel_rows;

    template <int R, int J>
    void run(int64_t r0, int64_t j0) const {
        Vector sums[R][J] = {};
        const int64_t row = p.input_row;
        const Vector zero{};
        for (int64_t i = 0; i < p.live_cells; ++i) {  // the other cells read zeros alone
            const int64_t cell = p.live[i];
            const Vector g = load(p.gradient + cell * p.filters + filter);
            const Mask winner = load(p.winners + cell * p.filters + filter);
            const float* first = p.input + p.cell_offsets[cell] + r0 * row + j0;
            CONVSCOPE_UNROLL
            for (int corner = 0; corner < 4; ++corner) {
                const Vector won = winner == Mask{} + corner ? g : zero;
                const float* input = first + p.window[corner];
                CONVSCOPE_UNROLL
                for (int r = 0; r < R; ++r) {
                    CONVSCOPE_UNROLL
                    for (int j = 0; j < J; ++j) sums[r][j] += won * broadcast(input[r * row + j]);
                }
            }
        }
        add_to_panel(p, filter, sums, panel_rows + (r0 * p.run + j0) * panel);
    }
};

#if defined(__AVX512F__)
// The same if the windows of a cell begin in the first two of its rows and end within a vector: for each filter a permutation
// of two rows takes the number that the weight reads at the winner, one step instead of four.
struct ByPermutations {
    const WinnersImage& p;
    int64_t filter;
    float* panel_rows;

    template <int R, int J>
    void run(int64_t r0, int64_t j0) const {
        Vector sums[R][J] = {};
        const auto right = static_cast<int32_t>(p.channels);
        const __m512i corners = _mm512_add_epi32(_mm512_broadcast_i32x4(_mm_setr_epi32(0, right, width, width + right)),
                                                 _mm512_set1_epi32(static_cast<int32_t>(j0)));
        for (int64_t i = 0; i < p.live_cells; ++i) {
            const int64_t cell = p.live[i];
            const Vector g = load(p.gradient + cell * p.filters + filter);
            __m512i at = _mm512_permutexvar_epi32(_mm512_loadu_si512(p.winners + cell * p.filters + filter), corners);
            __m512i taps[J];  // where the two rows hold the number of each column
            CONVSCOPE_UNROLL
            for (int j = 0; j < J; ++j) taps[j] = _mm512_add_epi32(at, _mm512_set1_epi32(j));
            const float* line = p.input + p.cell_offsets[cell] + r0 * p.input_row;
            __m512 upper = _mm512_loadu_ps(line);
            CONVSCOPE_UNROLL
            for (int r = 0; r < R; ++r) {
                line += p.input_row;
                const __m512 lower = _mm512_loadu_ps(line);
                CONVSCOPE_UNROLL
                for (int j = 0; j < J; ++j) sums[r][j] += g * Vector(_mm512_permutex2var_ps(upper, taps[j], lower));
                upper = lower;
            }
        }
        add_to_panel(p, filter, sums, panel_rows + (r0 * p.run + j0) * panel);
    }
};
#endif

// The gradient of R rows by J vectors of the kernels of some filters, each summed over the winners of its filter.
struct ByRuns {
    const float* input;
    int64_t input_row;
    int64_t filters;
    const int32_t* offsets;  // winner i of filter f reads the input from offsets[f + i offset_step] on
    int64_t offset_step;
    const float* values;  // its gradient is values[f + i value_step]
    int64_t value_step;
    int64_t count;  // winners of each filter
    float* kernel;
    int64_t kernel_row, kernel_size;

    template <int R, int J>
    void run(int64_t r0, int64_t j0) const {
        // E winners at once, each with sums of its own: a block of a few sums would wait for each addition to finish.
        constexpr int E = R * J <= 3 ? 4 : R * J <= 6 ? 2 : 1;
        const float* first = input + r0 * input_row + j0 * width;
        const int64_t row = kernel_row, last = count - count % E;
        for (int64_t filter = 0; filter < filters; ++filter) {
            float* to = kernel + filter * kernel_size + r0 * row + j0 * width;
            const int32_t* offset = offsets + filter;
            const float* value = values + filter;
            Vector sums[E][R][J] = {};
            CONVSCOPE_UNROLL
            for (int r = 0; r < R; ++r) {
                CONVSCOPE_UNROLL
                for (int j = 0; j < J; ++j) sums[0][r][j] = load(to + r * row + j * width);
            }
            for (int64_t i = 0; i < last; i += E) {
                CONVSCOPE_UNROLL
                for (int e = 0; e < E; ++e, offset += offset_step, value += value_step) {
                    add_winner<R, J>(sums[e], first + *offset, *value);
                }
            }
            for (int64_t i = last; i < count; ++i, offset += offset_step, value += value_step) {
                add_winner<R, J>(sums[0], first + *offset, *value);
            }
            CONVSCOPE_UNROLL
            for (int r = 0; r < R; ++r) {
                CONVSCOPE_UNROLL
                for (int j = 0; j < J; ++j) {
                    CONVSCOPE_UNROLL
                    for (int e = 1; e < E; ++e) sums[0][r][j] += sums[e][r][j];
                    store(to + r * row + j * width, sums[0][r][j]);
                }
            }
        }
    }

    template <int R, int J>
    inline __attribute__((always_inline)) void add_winner(Vector (&sums)[R][J], const float* line, float number) const {
        const Vector value = broadcast(number);
        CONVSCOPE_UNROLL
        for (int r = 0; r < R; ++r) {
            CONVSCOPE_UNROLL
            for (int j = 0; j < J; ++j) sums[r][j] += value * load(line + j * width);
            if (r + 1 < R) {
                line += input_row;
                CONVSCOPE_KEEP(line);
            }
        }
    }
};

// Writes the offset of the winner in cells [begin, end), (cells, width), for a vector of filters from `filter` on.
void write_offsets(const WinnersImage p, int64_t filter, int64_t begin, int64_t end, int32_t* offsets) {
    Mask window[4];
    for (int j = 0; j < 4; ++j) window[j] = Mask{} + static_cast<int32_t>(p.window[j]);
    for (int64_t cell = begin; cell < end; ++cell, offsets += width) {
        const Mask winner = load(p.winners + cell * p.filters + filter);
        const Mask right = winner == 1 ? window[1] : window[0], below = winner == 3 ? window[3] : window[2];
        store(offsets, (winner >= 2 ? below : right) + static_cast<int32_t>(p.cell_offsets[cell]));
    }
}

// Whether the gradients of all cells, (cells, filters), are nonzero in a vector of filters or the first `count` of it.
bool all_nonzero(const float* gradient, int64_t filters, int64_t cells, int64_t count) {
    Mask zeros{};
    for (int64_t cell = 0; cell < cells; ++cell) zeros |= load(gradient + cell * filters) == Vector{};
    int32_t inside[width] = {};
    for (int64_t lane = 0; lane < count; ++lane) inside[lane] = -1;
    return or_lanes(zeros & load(inside)) == 0;
}

// The winners of one filter that have a gradient.
struct WinnersList {
    int32_t offsets[winners_block];
    float values[winners_block];
    int64_t count;

    void fill(const int32_t* winner_offsets, const float* gradient, int64_t filters, int64_t cells) {
        count = 0;
        for (int64_t cell = 0; cell < cells; ++cell) {
            const float value = gradient[cell * filters];
            offsets[count] = winner_offsets[cell * width];
            values[count] = value;
            count += is_nonzero(value);  // no branch: the next winner overwrites this one if it has no gradient
        }
    }
};

// bias[filter ...] += the sum over cells of the gradient, for a vector of filters.
CONVSCOPE_INLINE void add_bias(const WinnersImage& p, int64_t filter, float* bias) {
    Vector sums[4] = {};  // four, so that an addition does not wait for the one before
    int64_t cell = 0;
    for (const float* gradient = p.gradient + filter; cell + 4 <= p.cells; cell += 4, gradient += 4 * p.filters) {
        CONVSCOPE_UNROLL
        for (int i = 0; i < 4; ++i) sums[i] += load(gradient + i * p.filters);
    }
    for (; cell < p.cells; ++cell) sums[0] += load(p.gradient + cell * p.filters + filter);
    store_first(bias, load(bias) + ((sums[0] + sums[1]) + (sums[2] + sums[3])), p.filters - filter);
}

}  // namespace

void winners_kernel_by_filters(const WinnersImage& p) {
    const int64_t panel_size = (p.kernel_rows * p.run + 1) * panel;
    for (int64_t filter = 0; filter < p.filters; filter += width) {
        float* rows = p.kernel + filter / panel * panel_size + filter % panel;
#if defined(__AVX512F__)
        const bool permutes = p.run + p.channels <= width && p.window[1] == p.channels && p.window[2] == p.input_row &&
                              p.window[3] == p.input_row + p.channels;
        permutes ? for_blocks(ByPermutations{p, filter, rows}, p.kernel_rows, p.run)
                 : for_blocks(ByFilters{p, filter, rows}, p.kernel_rows, p.run);
#else
        for_blocks(ByFilters{p, filter, rows}, p.kernel_rows, p.run);
#endif
        add_bias(p, filter, rows + p.kernel_rows * p.run * panel);
    }
}

void winners_kernel_by_runs(const WinnersImage& p) {
    const int64_t vectors = (p.run + width - 1) / width, kernel_row = vectors * width;
    // In a single block of for_blocks winners are read once, so a list of them would cost more than zeros.
    const bool reads_all = vectors <= max_columns && p.kernel_rows <= rows_of_block(vectors);
    int32_t winner_offsets[winners_block * width];
    WinnersList list;
    for (int64_t filter = 0; filter < p.filters; filter += width) add_bias(p, filter, p.bias + filter);
    const int64_t kernel_size = p.kernel_rows * kernel_row;
    for (int64_t begin = 0; begin < p.cells; begin += winners_block) {
        const int64_t cells = p.cells - begin < winners_block ? p.cells - begin : winners_block;
        for (int64_t first = 0; first < p.filters; first += width) {
            const int64_t filters = p.filters - first < width ? p.filters - first : width;
            const float* gradient = p.gradient + begin * p.filters + first;
            float* kernel = p.kernel + first * kernel_size;
            write_offsets(p, first, begin, begin + cells, winner_offsets);
            if (reads_all || all_nonzero(gradient, p.filters, cells, filters)) {
                for_blocks(ByRuns{p.input, p.input_row, filters, winner_offsets, width, gradient, p.filters, cells, kernel,
                                  kernel_row, kernel_size},
                           p.kernel_rows, vectors);
                continue;
            }
            for (int64_t filter = 0; filter < filters; ++filter, kernel += kernel_size) {
                list.fill(winner_offsets + filter, gradient + filter, p.filters, cells);
                for_blocks(ByRuns{p.input, p.input_row, 1, list.offsets, 1, list.values, 1, list.count, kernel,
                                  kernel_row, kernel_size},
                           p.kernel_rows, vectors);
            }
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
