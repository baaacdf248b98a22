// The matrix product of bfloat16 numbers with float32 sums (`Bfloat16Product`). bfloat16_operands.cpp rounds and
// arranges the numbers. `multiply_bfloat16` at the end goes block by block: two tiles, each of 16 rows of A, times a
// panel, 32 columns of B. `sum_up_block` computes the 32 x 32 sums, and `finish_rows` adds bias or mask and stores
// them.
//
// An AMX instruction adds products of pairs: C[m, n] += A[m, 2k] B[2k, n] + A[m, 2k + 1] B[2k + 1, n]. So a panel of B
// interleaves two rows, and A is read in pairs without a copy. A step multiplies 32 rows, 32 columns and 32 numbers of the
// sum. The rows of an AMX tile are evenly spaced in memory, which is why the rows of A come in runs.
//
// Without AMX the same product is computed number by number, for tests.
// Source: Intel, "Architecture Instruction Set Extensions Programming Reference", TDPBF16PS.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// Two tiles of rows, or the last one alone.
struct Block {
    int64_t tiles;
    const uint16_t* a[2];       // by tile: its first row of A,
    int64_t first[2], rows[2];  // its first row of C, and its number of rows
};

#if defined(__AMX_BF16__)

//                B: tmm6  tmm7     A register is a tile of 16 rows of 64 bytes: 32 bfloat16 of a row of A, 16 pairs of a pair
//     A: tmm4       tmm0  tmm1     of rows of B, or 16 sums of a row of C. The registers of A and of the sums have fewer rows
//        tmm5       tmm2  tmm3     if the product has. The struct is the operand of the instruction ldtilecfg.
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

// Writes the sums of a block and a panel, (2 x bfloat16_rows, panel).
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

struct Tiles { explicit Tiles(int64_t) {} };

// A bfloat16 is the upper half of a float.
float widen(uint16_t number) { return __builtin_bit_cast(float, static_cast<uint32_t>(number) << 16); }

void sum_up_block(const Bfloat16Product& p, const Block& block, const uint16_t* b, float* sums) {
    memset(sums, 0, 2 * bfloat16_rows * panel * sizeof(float));
    for (int64_t q = 0; q < p.segments; ++q, b += bfloat16_padded(p.length) * panel) {
        for (int64_t tile = 0; tile < block.tiles; ++tile) {
            for (int64_t m = 0; m < block.rows[tile]; ++m) {
                const uint16_t* a = block.a[tile] + m * p.a_row + p.a_segments[q];
                float* row = sums + (tile * bfloat16_rows + m) * panel;
                for (int64_t k = 0; k < p.length; ++k) {
                    const uint16_t* pairs = b + k / 2 * 2 * panel + k % 2;  // (pair of rows, panel, 2)
                    for (int64_t n = 0; n < panel; ++n) row[n] += widen(a[k]) * widen(pairs[2 * n]);
                }
            }
        }
    }
}

#endif

// Stores c = change(sum + bias, c, row, column) for each register of a tile's sums.
template <class Change>
CONVSCOPE_INLINE void change_rows(const Bfloat16Product& p, const Block& block, int tile, int64_t panel_index,
                                  const float* sums, const Change& change) {
    const int64_t columns = p.columns - panel_index * panel;
    const Vector zero{}, bias[2] = {p.bias ? load(p.bias + panel_index * p.bias_panel) : zero,
                                    p.bias ? load(p.bias + panel_index * p.bias_panel + width) : zero};
    for (int64_t m = 0; m < block.rows[tile]; ++m) {
        const int64_t row = block.first[tile] + m;
        if (p.c_rows[row] < 0) continue;
        float* c = p.c + panel_index * p.c_panel + p.c_rows[row];
        for (int v = 0; v < 2; ++v) {
            const int64_t column = v * width;
            const Vector value = change(load(sums + m * panel + column) + bias[v], c + column, row, column);
            store_first(c + column, value, columns - column);
        }
    }
}

void finish_rows(const Bfloat16Product& p, const Block& block, int64_t panel_index, const float* sums) {
    const Vector zero{};
    const auto finish = [&](const auto& change) {
        for (int tile = 0; tile < block.tiles; ++tile) {
            change_rows(p, block, tile, panel_index, sums + tile * bfloat16_rows * panel, change);
        }
    };
    if (p.finish == Finish::accumulate) {
        finish([](Vector value, const float* c, int64_t, int64_t) { return value + load(c); });
    } else if (p.finish == Finish::bias_relu) {
        finish([&](Vector value, const float*, int64_t, int64_t) { return value > zero ? value : zero; });
    } else if (p.finish == Finish::store_where_positive) {
        finish([&](Vector value, const float*, int64_t row, int64_t column) {
            return load(p.mask + panel_index * p.c_panel + p.mask_rows[row] + column) > zero ? value : zero;
        });
    } else {
        finish([](Vector value, const float*, int64_t, int64_t) { return value; });
    }
}

int64_t tiles_of_run(const Bfloat16Product& p) { return (p.rows + bfloat16_rows - 1) / bfloat16_rows; }

// Returns tiles `first` and first + 1, counted over all runs: with 2 tiles a run, tile 3 is the second of run 1.
Block find_block(const Bfloat16Product& p, int64_t first) {
    Block block = {};
    const int64_t tiles = tiles_of_run(p);
    for (int64_t tile = first; block.tiles < 2 && tile < p.runs * tiles; ++tile, ++block.tiles) {
        const int64_t run = tile / tiles, row = tile % tiles * bfloat16_rows, remaining = p.rows - row;
        block.a[block.tiles] = p.a + run * p.a_run + row * p.a_row;
        block.first[block.tiles] = run * p.rows + row;
        block.rows[block.tiles] = remaining < bfloat16_rows ? remaining : bfloat16_rows;
    }
    return block;
}

}  // namespace

void multiply_bfloat16(const Bfloat16Product& p) {
    if (p.rows == 0 || p.runs == 0) return;
    alignas(64) float sums[2 * bfloat16_rows * panel];
    const Tiles shapes(p.rows);
    for (int64_t tile = 0; tile < p.runs * tiles_of_run(p); tile += 2) {
        const Block block = find_block(p, tile);
        for (int64_t panel_index = 0; panel_index * panel < p.columns; ++panel_index) {
            sum_up_block(p, block, p.b + panel_index * p.b_panel, sums);
            finish_rows(p, block, panel_index, sums);
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
