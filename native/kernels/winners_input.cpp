// The gradient with respect to the input of relu, pooling and convolution at once; winners.cpp has its formula. For each
// cell the filters that won a corner are marked by bits; `spread` adds their kernels to the sums of the cell's pixels, in
// vectors along the input's channels.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

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
        for (int64_t block = 0; block * width < p.channels; ++block) {  // whose weights stay in the first-level cache
            for (int64_t cell = begin; cell < end; ++cell) {
                spread_from<K, 0, rows>(p, p.won + (cell - begin) * marks, cell, block);
            }
        }
    }
}

}  // namespace

void winners_input(const WinnersImage& p) { p.kernel_rows == 3 ? spread<3>(p) : spread<5>(p); }

}  // namespace convscope::CONVSCOPE_ISA
