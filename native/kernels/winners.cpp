// The backward pass through relu, pooling and convolution at once, which only computes with winners.
//
//     corners of a cell:   0 1      Only the winning corner w has a gradient, and none if relu was zero: at most a quarter
//                          2 3      of the work of the plain gradient.
//
// With g the gradient of a cell and filter f, and x = cell_offsets[cell] + window[w] + r input_row + i:
//     kernel[f, r, i] += g input[x]        input_gradient[x] += g kernel[f, r, i]
// where r is a kernel row and i one of its `run` numbers (kernel columns x channels), contiguous in the input.
//
// Three functions at the end of the file, each with its own helpers: winners_kernel_by_filters (`ByFilters`: a vector of
// filters, each corner masked by who won there), winners_kernel_by_runs (`ByRuns`: for one filter the list of its
// winners, and vectors along i) and winners_input (`spread`: for one cell the bits of the filters that won each corner,
// and vectors along the input's channels). `for_blocks` keeps the sums of a few rows and columns in registers.
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
        for (int r = 0; r < R; ++r) {
            for (int j = 0; j < J; ++j) {
                float* to = panel_rows + ((r0 + r) * p.run + j0 + j) * panel;
                store_first(to, load(to) + sums[r][j], p.filters - filter);
            }
        }
    }
};

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

// Returns the bitwise or of all lanes.
CONVSCOPE_INLINE uint32_t or_lanes(Mask lanes) {
    typedef uint64_t Quarter __attribute__((vector_size(16)));
    Quarter quarters[width / 4];  // one, two or four
    memcpy(quarters, &lanes, sizeof quarters);
    CONVSCOPE_UNROLL
    for (int64_t i = 1; i < width / 4; ++i) quarters[0] |= quarters[i];
    const uint64_t pair = quarters[0][0] | quarters[0][1];
    return static_cast<uint32_t>(pair | pair >> 32);
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

// Writes marks[32 filters][corner], 32 bits each: bit i is set if filter i has a gradient and its winner is the corner. If
// filters 0 and 2 won corner 3 and filter 1 corner 0, the marks are 0b010, 0, 0, 0b101.
CONVSCOPE_INLINE void mark_winners(const WinnersImage& p, int64_t cell, uint32_t* marks) {
    const float* gradient = p.gradient + cell * p.filters;
    const int32_t* winners = p.winners + cell * p.filters;
    Mask first_bits;
    for (int32_t lane = 0; lane < width; ++lane) first_bits[lane] = 1 << lane;
    for (int64_t first = 0; first < p.filters; first += 32) {
        const int64_t count = p.filters - first < 32 ? p.filters - first : 32;
        Mask won[4] = {};
        Mask bits = first_bits;
        for (int64_t i = 0; i < count; i += width) {
            const Mask winner = load(winners + first + i);
            const Mask carried = load(gradient + first + i) != Vector{} ? bits : Mask{};
            CONVSCOPE_UNROLL
            for (int corner = 0; corner < 4; ++corner) won[corner] |= winner == Mask{} + corner ? carried : Mask{};
            bits <<= static_cast<int32_t>(width);
        }
        const auto inside = static_cast<uint32_t>((uint64_t{1} << count) - 1);  // the last vector may read beyond the filters
        CONVSCOPE_UNROLL
        for (int corner = 0; corner < 4; ++corner) marks[first / 8 + corner] = or_lanes(won[corner]) & inside;
    }
}

// Adds the input gradient of a cell to rows [First, First + Rows) of the (K + 1) x (K + 1) pixels that its four windows read.
// The kernel of a filter that won corner (down, right) lies on the pixels from (down, right) on: pixel row First + u gets
// kernel row First + u - down.
template <int K, int First, int Rows>
CONVSCOPE_INLINE void spread_rows(const WinnersImage& p, const uint32_t* marks, int64_t cell, int64_t block) {
    Vector sums[Rows][K + 1] = {};
    const float* gradient = p.gradient + cell * p.filters;
    const float* weights = p.back + block * p.filters * K * K * width;
    for (const float* end = gradient + p.filters; gradient < end; gradient += 32, marks += 4, weights += 32 * K * K * width) {
        const uint32_t corners[4] = {marks[0], marks[1], marks[2], marks[3]};
        CONVSCOPE_UNROLL
        for (int corner = 0; corner < 4; ++corner) {
            const int down = corner / 2, right = corner % 2;
            for (uint32_t won = corners[corner]; won != 0; won &= won - 1) {
                const auto filter = static_cast<uint32_t>(__builtin_ctz(won));
                const Vector g = broadcast(gradient[filter]);
                const float* kernel = weights + filter * static_cast<uint64_t>(K * K * width);
                CONVSCOPE_KEEP(kernel);
                CONVSCOPE_UNROLL
                for (int u = 0; u < Rows; ++u) {
                    const int r = First + u - down;
                    if (r < 0 || r >= K) continue;
                    CONVSCOPE_UNROLL
                    for (int s = 0; s < K; ++s) sums[u][right + s] += g * load(kernel + (r * K + s) * width);
                }
            }
        }
    }
    float* to = p.input_gradient + p.cell_offsets[cell] + First * p.input_row + block * width;
    CONVSCOPE_UNROLL
    for (int u = 0; u < Rows; ++u) {
        CONVSCOPE_UNROLL
        for (int x = 0; x <= K; ++x) {
            float* at = to + u * p.input_row + x * p.channels;
            store(at, load(at) + sums[u][x]);
        }
    }
}

// Adds the gradient to rows [First, K + 1), at most Rows at a time.
template <int K, int First, int Rows>
CONVSCOPE_INLINE void spread_from(const WinnersImage& p, const uint32_t* marks, int64_t cell, int64_t block) {
    if constexpr (First < K + 1) {
        constexpr int count = Rows < K + 1 - First ? Rows : K + 1 - First;
        spread_rows<K, First, count>(p, marks, cell, block);
        spread_from<K, First + count, Rows>(p, marks, cell, block);
    }
}

template <int K>
void spread(const WinnersImage p) {  // a copy: the compiler knows that no store changes it
    constexpr int registers = CONVSCOPE_VECTOR_BYTES == 64 ? 20 : 12;  // for sums: AVX-512 has 32, AVX2 16
    constexpr int rows = registers / (K + 1);  // of K + 1 sums: for K = 5, pixel rows 0-1, 2-3 and 4-5, or 0-2 and 3-5
    const int64_t marks = marks_size(p.filters);
    for (int64_t begin = 0; begin < p.cells; begin += marked_cells) {
        const int64_t end = begin + marked_cells < p.cells ? begin + marked_cells : p.cells;
        for (int64_t cell = begin; cell < end; ++cell) mark_winners(p, cell, p.won + (cell - begin) * marks);
        for (int64_t cell = begin; cell < end; ++cell) {
            const uint32_t* won = p.won + (cell - begin) * marks;
            for (int64_t block = 0; block * width < p.channels; ++block) {
                spread_from<K, 0, rows>(p, won, cell, block);
            }
        }
    }
}

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
        for_blocks(ByFilters{p, filter, rows}, p.kernel_rows, p.run);
        add_bias(p, filter, rows + p.kernel_rows * p.run * panel);
    }
}

void winners_kernel_by_runs(const WinnersImage& p) {
    const int64_t vectors = (p.run + width - 1) / width, kernel_row = vectors * width;
    const bool in_one_block = vectors <= max_columns && p.kernel_rows <= rows_of_block(vectors);  // of for_blocks
    const bool reads_all = in_one_block && !p.lists_winners;  // as winners are read once, a list would cost more than zeros
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

// Rows are copied in whole vectors; what is too much is overwritten by the next row or patch.
void copy_patches(const WinnersImage& image, float* patches) {
    const WinnersImage p = image;
    const int64_t size = (p.kernel_rows * p.run + width - 1) / width * width;
    for (int64_t cell = 0; cell < p.cells; ++cell) {
        for (int64_t j = 0; j < 4; ++j, patches += size) {
            const float* from = p.input + p.cell_offsets[cell] + p.window[j];
            for (int64_t row = 0; row < p.kernel_rows; ++row, from += p.input_row) {
                for (int64_t i = 0; i < p.run; i += width) store(patches + row * p.run + i, load(from + i));
            }
        }
    }
}

void winners_input(const WinnersImage& p) { p.kernel_rows == 3 ? spread<3>(p) : spread<5>(p); }

}  // namespace convscope::CONVSCOPE_ISA
