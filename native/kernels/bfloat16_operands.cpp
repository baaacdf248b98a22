// Copies weights and maps as bfloat16 numbers, in the layouts that bfloat16.cpp reads.
//
// A bfloat16 is the upper half of a float: its sign, its exponent and seven bits of its mantissa, rounded to nearest,
// ties to even.
#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

typedef uint16_t Halves __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES / 2)));
typedef uint16_t HalvesInMemory __attribute__((vector_size(CONVSCOPE_VECTOR_BYTES / 2), aligned(2), may_alias));

// Rounds to bfloat16 in the upper half of each lane; the lower half is zero. The addition carries into the upper half if the
// lower is above 0x8000, or is 0x8000 and the upper half is odd.
CONVSCOPE_INLINE Pairs rounded(Vector value) {
    const Pairs bits = reinterpret_cast<Pairs>(value);
    const Pairs result = bits + 0x7fff + (bits >> 16 & 1);
    return (value == value ? result : bits | 0x400000) & 0xffff0000;  // a NaN stays one
}

// Transposes a matrix of pairs of bfloat16, each moved as one float.
void transpose_pairs(const uint16_t* from, int64_t from_row, uint16_t* to, int64_t to_row, int64_t rows, int64_t columns) {
    transpose(reinterpret_cast<const float*>(from), from_row, reinterpret_cast<float*>(to), to_row, rows, columns);
}

}  // namespace

void round_to_bfloat16(const float* from, int64_t count, uint16_t* to) {
    int64_t i = 0;
    for (; i + width <= count; i += width) {
        *reinterpret_cast<HalvesInMemory*>(to + i) = __builtin_convertvector(rounded(load(from + i)) >> 16, Halves);
    }
    if (i == count) return;
    const Halves last = __builtin_convertvector(rounded(load(from + i)) >> 16, Halves);
    memcpy(to + i, &last, static_cast<size_t>(count - i) * sizeof(uint16_t));
}

// Rows a and b become a0 b0 a1 b1 a2 b2 ...
void pair_rows(const float* from, const int64_t* rows, int64_t count, uint16_t* to) {
    const auto row = [&](int64_t k, int64_t column) {
        return k < count && rows[k] >= 0 ? rounded(load(from + rows[k] + column)) : Pairs{};
    };
    for (int64_t k = 0; k < bfloat16_padded(count); k += 2, to += 2 * panel) {
        for (int64_t column = 0; column < panel; column += width) {
            store_pairs(to + 2 * column, row(k, column) >> 16 | row(k + 1, column));
        }
    }
}

// Two rows a and b become the rows a0 a1 b0 b1 (of the pair of columns 0 and 1), a2 a3 b2 b3, ...
void transpose_rows(const float* from, int64_t count, int64_t pairs, uint16_t* to) {
    alignas(64) uint16_t rows[panel * panel];
    for (int64_t row = 0; row < count; ++row) round_to_bfloat16(from + row * panel, panel, rows + row * panel);
    transpose_pairs(rows, panel / 2, to, panel, count, pairs);
}

// Pixels a, b, d, e of channels 0, 1, ... are paired to a0 b0 a1 b1 ... and d0 e0 d1 e1 ..., and the pairs transposed to
// a0 b0 d0 e0 (channel 0), a1 b1 d1 e1 (channel 1), ...
void by_channels(const float* from, const int64_t* offsets, int64_t count, int64_t channels, uint16_t* to, int64_t to_row) {
    constexpr int64_t pixels_at_once = 2 * bfloat16_step;
    alignas(64) uint16_t pairs[pixels_at_once * panel];
    for (int64_t first = 0; first < count; first += pixels_at_once) {
        const int64_t taken = count - first < pixels_at_once ? count - first : pixels_at_once;
        for (int64_t channel = 0; channel < channels; channel += panel) {
            pair_rows(from + channel, offsets + first, taken, pairs);
            const int64_t columns = channels - channel < panel ? channels - channel : panel;
            transpose_pairs(pairs, panel, to + channel * to_row + first, to_row / 2, (taken + 1) / 2, columns);
        }
    }
}

}  // namespace convscope::CONVSCOPE_ISA
