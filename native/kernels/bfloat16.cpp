// The matrix product of bfloat16 numbers with sums in float32. bfloat16_operands.cpp makes the numbers.
//
// Instructions multiply pairs of neighbours in the order of the sum, so B's panel holds two rows side by side, and a row of
// A is read two numbers at a time, from wherever it lies: no copy of it is made.
//
// Where the processor multiplies tiles (AMX), a step takes 32 rows and 32 columns, 32 numbers of the sum each; a tile's rows
// lie at one distance, which is why A's come in runs. Else a tile of rows by two registers of sums is kept while the sum
// runs, as in matrix.cpp. The order of a sum does not depend on the rows beside it.
// Source: Intel, "Architecture Instruction Set Extensions Programming Reference", VDPBF16PS and TDPBF16PS.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

CONVSCOPE_INLINE bool pools(const Bfloat16Product& p) { return p.finish == Finish::pool || p.finish == Finish::pool_relu; }

// What is taken at once: up to two tiles of rows, each of places that lie a_row apart. In a pooled product these are the
// upper and the lower places of the same cells.
struct Block {
    const uint16_t* a[2];
    int64_t tiles;
    int64_t first[2], rows[2];  // of C, by tile; in a pooled product cells
};

#if defined(__AMX_BF16__)

// Tiles 0 to 3 hold sums, 4 and 5 numbers of A, 6 and 7 of B: 16 rows of 64 bytes, but for A and the sums of few rows.
struct alignas(64) TileShapes {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

struct Tiles {
    explicit Tiles(int64_t rows) {
        TileShapes shapes;
        for (int tile = 0; tile < 6 && rows < bfloat16_rows; ++tile) shapes.rows[tile] = static_cast<uint8_t>(rows);
        asm volatile("ldtilecfg %0" ::"m"(shapes));
    }
    ~Tiles() { asm volatile("tilerelease"); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// The sums of a block by a panel, (2 x bfloat16_rows, panel).
void sum_up_block(const Bfloat16Product& p, const Block& block, const uint16_t* b, float* sums) {
    const int64_t a_bytes = 2 * p.a_row, b_bytes = 4 * panel, padded = bfloat16_padded(p.length);
    asm volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" ::);
    for (int64_t q = 0; q < p.segments; ++q) {
        const uint16_t* upper = block.a[0] + p.a_segments[q];
        if (block.tiles == 2) {
            const uint16_t* lower = block.a[1] + p.a_segments[q];
            for (int64_t k = 0; k < padded; k += bfloat16_step, b += bfloat16_step * panel) {
                asm volatile(
                    "tileloadd (%0,%3,1), %%tmm4\n\ttileloadd (%2,%4,1), %%tmm6\n\ttileloadd 64(%2,%4,1), %%tmm7\n\t"
                    "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                    "tileloadd (%1,%3,1), %%tmm5\n\t"
                    "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::"r"(upper + k),
                    "r"(lower + k), "r"(b), "r"(a_bytes), "r"(b_bytes)
                    : "memory");
            }
        } else {
            for (int64_t k = 0; k < padded; k += bfloat16_step, b += bfloat16_step * panel) {
                asm volatile(
                    "tileloadd (%0,%2,1), %%tmm4\n\ttileloadd (%1,%3,1), %%tmm6\n\ttileloadd 64(%1,%3,1), %%tmm7\n\t"
                    "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1" ::"r"(upper + k),
                    "r"(b), "r"(a_bytes), "r"(b_bytes)
                    : "memory");
            }
        }
    }
    asm volatile("tilestored %%tmm0, (%0,%1,1)\n\ttilestored %%tmm1, 64(%0,%1,1)" ::"r"(sums), "r"(b_bytes) : "memory");
    if (block.tiles == 1) return;
    asm volatile("tilestored %%tmm2, (%0,%1,1)\n\ttilestored %%tmm3, 64(%0,%1,1)" ::"r"(sums + bfloat16_rows * panel),
                 "r"(b_bytes)
                 : "memory");
}

#else

typedef uint32_t PairInMemory __attribute__((aligned(2), may_alias));

CONVSCOPE_INLINE Pairs broadcast_pair(const uint16_t* from) {
    return *reinterpret_cast<const PairInMemory*>(from) + Pairs{};
}
CONVSCOPE_INLINE Pairs pairs_of(float value) { return reinterpret_cast<Pairs>(broadcast(value)) & 0xffff0000; }

struct Tiles {
    explicit Tiles(int64_t) {}
};

template <int M>
CONVSCOPE_INLINE void sum_up_rows(const Bfloat16Product& p, const uint16_t* a, const uint16_t* b, float* sums) {
    Vector tile[M][2] = {};
    for (int64_t q = 0; q < p.segments; ++q, b += bfloat16_padded(p.length) * panel) {
        const uint16_t* segment = a + p.a_segments[q];
        for (int64_t k = 0; k < p.length; k += 2) {
            const Pairs columns[2] = {load_pairs(b + k * panel), load_pairs(b + k * panel + panel)};
            CONVSCOPE_UNROLL
            for (int m = 0; m < M; ++m) {
                const Pairs pair = broadcast_pair(segment + m * p.a_row + k);
                tile[m][0] = add_dot_products(tile[m][0], pair, columns[0]);
                tile[m][1] = add_dot_products(tile[m][1], pair, columns[1]);
            }
        }
    }
    CONVSCOPE_UNROLL
    for (int m = 0; m < M; ++m) {
        store(sums + m * panel, tile[m][0]);
        store(sums + m * panel + width, tile[m][1]);
    }
}

void sum_up_block(const Bfloat16Product& p, const Block& block, const uint16_t* b, float* sums) {
    constexpr int64_t M = CONVSCOPE_TILE_ROWS >= 8 ? 8 : 4;
    for (int64_t tile = 0; tile < block.tiles; ++tile) {
        const uint16_t* a = block.a[tile];
        float* to = sums + tile * bfloat16_rows * panel;
        int64_t left = block.rows[tile] * (pools(p) ? 2 : 1);
        for (; left >= M; left -= M, a += M * p.a_row, to += M * panel) sum_up_rows<M>(p, a, b, to);
        for (; left >= 2; left -= 2, a += 2 * p.a_row, to += 2 * panel) sum_up_rows<2>(p, a, b, to);
        if (left == 1) sum_up_rows<1>(p, a, b, to);
    }
}

#endif

// What becomes of a tile's sums: change(value, c, row, column) of each register.
template <class Change>
CONVSCOPE_INLINE void change_rows(const Bfloat16Product& p, const Block& block, int tile, int64_t index, const float* sums,
                                  const Change& change) {
    const int64_t columns = p.columns - index * panel;
    const Vector zero{}, bias[2] = {p.bias ? load(p.bias + index * p.bias_panel) : zero,
                                    p.bias ? load(p.bias + index * p.bias_panel + width) : zero};
    for (int64_t m = 0; m < block.rows[tile]; ++m) {
        const int64_t row = block.first[tile] + m;
        if (p.c_rows[row] < 0) continue;
        float* c = p.c + index * p.c_panel + p.c_rows[row];
        for (int v = 0; v < 2; ++v) {
            const int64_t column = v * width;
            const Vector value = change(load(sums + m * panel + column) + bias[v], c + column, row, column);
            store_first(c + column, value, columns - column);
        }
    }
}

void finish_rows(const Bfloat16Product& p, const Block& block, int64_t index, const float* sums) {
    const Vector zero{};
    const auto finish = [&](const auto& change) {
        for (int tile = 0; tile < block.tiles; ++tile) {
            change_rows(p, block, tile, index, sums + tile * bfloat16_rows * panel, change);
        }
    };
    if (p.finish == Finish::accumulate) {
        finish([](Vector value, const float* c, int64_t, int64_t) { return value + load(c); });
    } else if (p.finish == Finish::bias_relu) {
        finish([&](Vector value, const float*, int64_t, int64_t) { return value > zero ? value : zero; });
    } else if (p.finish == Finish::store_where_positive) {
        finish([&](Vector value, const float*, int64_t row, int64_t column) {
            return load(p.mask + index * p.c_panel + p.mask_rows[row] + column) > zero ? value : zero;
        });
    } else {
        finish([](Vector value, const float*, int64_t, int64_t) { return value; });
    }
}

void finish_cells(const Bfloat16Product& p, const Block& block, int64_t index, const float* sums) {
    const Vector zero{};
    for (int64_t v = 0; v < 2; ++v) {
        const int64_t column = v * width, columns = p.columns - index * panel - column;
        if (columns <= 0) return;
        const Vector bias = load(p.bias + index * p.bias_panel + column);
        for (int64_t m = 0; m < block.rows[0]; ++m) {
            const int64_t cell = block.first[0] + m;
            const float *upper = sums + 2 * m * panel + column, *lower = upper + bfloat16_rows * panel;
            const Vector places[4] = {load(upper), load(upper + panel), load(lower), load(lower + panel)};
            Vector largest = places[0];
            Mask winner{};
            CONVSCOPE_UNROLL
            for (int j = 1; j < 4; ++j) {
                const Mask better = places[j] > largest;
                largest = better ? places[j] : largest;
                winner = better ? Mask{} + j : winner;
            }
            largest += bias;
            if (p.finish == Finish::pool_relu) largest = largest > zero ? largest : zero;
            store_first(p.c + index * p.c_panel + p.c_rows[cell] + column, largest, columns);
            if (p.winners) store_first(p.winners + index * p.c_panel + cell * p.winner_row + column, winner, columns);
        }
    }
}

// Block `number` of all runs: tiles follow one another from run to run, cells begin a block with each run.
Block find_block(const Bfloat16Product& p, int64_t number) {
    Block block = {};
    const int64_t at_once = pools(p) ? bfloat16_rows / 2 : bfloat16_rows, tiles = (p.rows + at_once - 1) / at_once;
    const auto place = [&](int64_t tile, int64_t& first, int64_t& rows) {
        const int64_t run = tile / tiles, row = tile % tiles * at_once;
        first = run * p.rows + row;
        rows = p.rows - row < at_once ? p.rows - row : at_once;
        return p.a + run * p.a_run + row * (pools(p) ? 2 : 1) * p.a_row;
    };
    if (pools(p)) {
        block.tiles = 2;
        block.a[0] = place(number, block.first[0], block.rows[0]);
        block.a[1] = block.a[0] + p.lower;
        block.rows[1] = block.rows[0];
        return block;
    }
    for (int64_t tile = 2 * number; block.tiles < 2 && tile < p.runs * tiles; ++tile, ++block.tiles) {
        block.a[block.tiles] = place(tile, block.first[block.tiles], block.rows[block.tiles]);
    }
    return block;
}

}  // namespace

void multiply_bfloat16(const Bfloat16Product& p) {
    if (p.rows == 0 || p.runs == 0) return;
    alignas(64) float sums[2 * bfloat16_rows * panel];
    const int64_t at_once = pools(p) ? bfloat16_rows / 2 : bfloat16_rows, tiles = (p.rows + at_once - 1) / at_once;
    const int64_t blocks = pools(p) ? p.runs * tiles : (p.runs * tiles + 1) / 2;
    const Tiles shapes(pools(p) ? 2 * p.rows : p.rows);
    for (int64_t number = 0; number < blocks; ++number) {
        const Block block = find_block(p, number);
        for (int64_t index = 0; index * panel < p.columns; ++index) {
            sum_up_block(p, block, p.b + index * p.b_panel, sums);
            pools(p) ? finish_cells(p, block, index, sums) : finish_rows(p, block, index, sums);
        }
    }
}

double multiply_add_bfloat16(int64_t steps, float* numbers) {
#if defined(__AMX_BF16__)
    const Tiles tiles(16);
    asm volatile(
        "tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"
        "tilezero %%tmm4\n\ttilezero %%tmm5\n\ttilezero %%tmm6\n\ttilezero %%tmm7" ::);
    for (int64_t step = 0; step < steps; ++step) {
        asm volatile(
            "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
            "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::);
    }
    numbers[3] = 0;
    return 4.0 * 2 * 16 * 16 * 32 * static_cast<double>(steps);
#else
    constexpr int count = CONVSCOPE_TILE_ROWS >= 8 ? 20 : 12;  // hides the latency, and fits into the registers
    const Pairs factor = pairs_of(numbers[0]), other = pairs_of(numbers[1]);
    Vector sums[count];
    CONVSCOPE_UNROLL
    for (int i = 0; i < count; ++i) sums[i] = broadcast(numbers[2]) + static_cast<float>(i);
    for (int64_t step = 0; step < steps; ++step) {
        CONVSCOPE_UNROLL
        for (int i = 0; i < count; ++i) sums[i] = add_dot_products(sums[i], factor, other);
    }
    Vector total{};
    CONVSCOPE_UNROLL
    for (int i = 0; i < count; ++i) total += sums[i];
    numbers[3] = total[0];  // so that nobody leaves the work out
    return 4.0 * static_cast<double>(steps) * count * static_cast<double>(width);
#endif
}

}  // namespace convscope::CONVSCOPE_ISA
