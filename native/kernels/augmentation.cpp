// The passes of augmentation over all pixels: random numbers, smoothing, resampling, rounding.
#include <math.h>

#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {
namespace {

// Rows are short, so the end of a row is computed as a whole block too.
constexpr int64_t block = augmentation_block;

// Two random integers below 2^24 from 64 random bits; floats represent both exactly.
CONVSCOPE_INLINE int32_t first_part(uint64_t bits) { return static_cast<int32_t>(bits >> 40); }
CONVSCOPE_INLINE int32_t second_part(uint64_t bits) { return static_cast<int32_t>(bits >> 16 & 0xffffff); }

// Returns ln(number / 2^24) for 1 <= number <= 2^24, exactly zero at 2^24. A float is mantissa * 2^exponent, so its logarithm
// is ln(mantissa) + exponent * ln 2. Counted from the bits of sqrt(1/2), 0x3f3504f3, the mantissa is between sqrt(1/2) and
// sqrt(2), and ln(1 + x) = x - x^2 / 2 + x^3 sum, whose polynomial is Cephes's (Moshier), is accurate.
CONVSCOPE_INLINE float logarithm(int32_t number) {
    const int32_t bits = __builtin_bit_cast(int32_t, static_cast<float>(number)) - 0x3f3504f3;
    const float exponent = static_cast<float>((bits >> 23) - 24);
    const float x = __builtin_bit_cast(float, (bits & 0x7fffff) + 0x3f3504f3) - 1;
    float sum = 7.0376836292e-2f;
    sum = sum * x - 1.1514610310e-1f;
    sum = sum * x + 1.1676998740e-1f;
    sum = sum * x - 1.2420140846e-1f;
    sum = sum * x + 1.4249322787e-1f;
    sum = sum * x - 1.6668057665e-1f;
    sum = sum * x + 2.0000714765e-1f;
    sum = sum * x - 2.4999993993e-1f;
    sum = sum * x + 3.3333331174e-1f;
    return exponent * 0.693147181f + (x - 0.5f * x * x + sum * x * x * x);
}

CONVSCOPE_INLINE uint8_t to_byte(float value) {
    value = value < 0 ? 0 : value;
    value = value > 255 ? 255 : value;
    return static_cast<uint8_t>(static_cast<int32_t>(value + 0.5f));
}

}  // namespace

// An integer less 2^23, divided by 2^23, is in [-1, 1).
void even_pairs(uint64_t start, int64_t count, float* __restrict first, float* __restrict second) {
    for (int64_t i = 0; i < count; ++i) {
        const uint64_t bits = split_mix(start, i);
        first[i] = static_cast<float>(first_part(bits) - (1 << 23)) * 0x1p-23f;
        second[i] = static_cast<float>(second_part(bits) - (1 << 23)) * 0x1p-23f;
    }
}

// Box and Muller 1958: r cos(phi) and r sin(phi) with r^2 = -2 ln(u), u and phi uniform. `turn` is phi in 2^-24 of a full
// turn, and `angle` that from the nearest axis, for which Cephes's polynomials (Moshier) hold. For example 100 degrees are
// 10 from axis 1, so cos(100) = -sin(10) and sin(100) = cos(10): odd axes swap the two, the cosine is negative at axes 1
// and 2, and the sine at 2 and 3.
void normal_pairs(uint64_t start, int64_t count, float* __restrict first, float* __restrict second) {
    for (int64_t i = 0; i < count; ++i) {
        const uint64_t bits = split_mix(start, i);
        const float radius = sqrtf(-2 * logarithm(first_part(bits) + 1));
        const int32_t turn = second_part(bits), axis = (turn + (1 << 21)) >> 22;
        const float angle = static_cast<float>(turn - (axis << 22)) * (0x1p-22f * 1.57079633f);
        const float squared = angle * angle;
        float sine = -1.9515295891e-4f * squared + 8.3321608736e-3f;
        sine = angle + angle * squared * (sine * squared - 1.6666654611e-1f);
        float cosine = 2.443315711809948e-5f * squared - 1.388731625493765e-3f;
        cosine = 1 - 0.5f * squared + squared * squared * (cosine * squared + 4.166664568298827e-2f);
        const float c = axis & 1 ? sine : cosine, s = axis & 1 ? cosine : sine;
        first[i] = radius * ((axis + 1) & 2 ? -c : c);
        second[i] = radius * (axis & 2 ? -s : s);
    }
}

void smooth(const float* from, int64_t step, const float* taps, int64_t radius, int64_t count, float* to) {
    constexpr int64_t vectors = block / width;
    Mask lane;  // 0, 1, 2, ...: a lane is kept if its number is less than what remains of the row
    for (int32_t i = 0; i < width; ++i) lane[i] = i;
    for (int64_t begin = 0; begin < count; begin += block) {
        Vector sums[vectors];
        CONVSCOPE_UNROLL
        for (int64_t v = 0; v < vectors; ++v) sums[v] = load(from + begin + v * width) * taps[0];
        for (int64_t k = 1; k <= radius; ++k) {
            const float *before = from + begin - k * step, *after = from + begin + k * step;
            CONVSCOPE_UNROLL
            for (int64_t v = 0; v < vectors; ++v) sums[v] += (load(before + v * width) + load(after + v * width)) * taps[k];
        }
        for (int64_t v = 0; v < vectors; ++v) {
            const int64_t remaining = count - begin - v * width;
            const Mask inside = lane < static_cast<int32_t>(remaining < width ? remaining : width);
            store(to + begin + v * width, inside ? sums[v] : Vector{});
        }
    }
}

// Packs each pixel with its right, lower and lower right neighbours into the four bytes of one number, so that a bilinear
// read loads one number instead of four that are far apart.
CONVSCOPE_INLINE void gather_corners(const Resampling& r) {
    const int64_t row = (r.width + 2) * r.channels;
    const uint8_t* __restrict above = r.framed;
    const uint8_t* __restrict above_right = above + r.channels;
    const uint8_t* __restrict below = above + row;
    const uint8_t* __restrict below_right = below + r.channels;
    uint32_t* __restrict corners = r.corners;
    for (int64_t i = 0; i < (r.height + 1) * row - r.channels; ++i) {
        corners[i] = static_cast<uint32_t>(above[i]) | static_cast<uint32_t>(above_right[i]) << 8 |
                     static_cast<uint32_t>(below[i]) << 16 | static_cast<uint32_t>(below_right[i]) << 24;
    }
}

CONVSCOPE_INLINE float byte_of(uint32_t corners, int number) {
    return static_cast<float>(static_cast<int32_t>(corners >> 8 * number & 255));
}

// Interpolates a block of pixels of a row; `below` and `right` are their distances from the upper left of four pixels.
// Channels is the number of channels, or 0 for any.
template <int64_t Channels>
CONVSCOPE_INLINE void mix(const Resampling& r, const int32_t* __restrict indices, const float* __restrict below,
                          const float* __restrict right, float* __restrict to) {
    const int64_t channels = Channels ? Channels : r.channels;
    for (int64_t i = 0; i < block; ++i) {
        for (int64_t c = 0; c < channels; ++c) {
            const uint32_t corners = r.corners[indices[i] * channels + c];
            const float upper = byte_of(corners, 0) + (byte_of(corners, 1) - byte_of(corners, 0)) * right[i];
            const float lower = byte_of(corners, 2) + (byte_of(corners, 3) - byte_of(corners, 2)) * right[i];
            to[i * channels + c] = upper + (lower - upper) * below[i];
        }
    }
}

// Writes the rows and columns in `framed` of the sources of a block of pixels, from (y, begin) on.
CONVSCOPE_INLINE void find_sources(const Resampling& r, int64_t y, int64_t begin, float* __restrict rows,
                                   float* __restrict columns) {
    // The frame is one pixel wide, so the first pixel of the image is at 1.
    const float row_start = static_cast<float>(r.rows[0] + r.rows[1] * static_cast<double>(y) + 1);
    const float column_start = static_cast<float>(r.columns[0] + r.columns[1] * static_cast<double>(y) + 1);
    const float row_step = static_cast<float>(r.rows[2]), column_step = static_cast<float>(r.columns[2]);
    for (int64_t i = 0; i < block; ++i) {
        const float x = static_cast<float>(static_cast<int32_t>(begin + i));
        rows[i] = row_start + row_step * x;
        columns[i] = column_start + column_step * x;
    }
    if (r.down == nullptr) return;
    const int64_t first = y * r.width + begin;
    for (int64_t i = 0; i < block; ++i) {
        rows[i] += r.strength * r.down[first + i];
        columns[i] += r.strength * r.right[first + i];
    }
}

// Splits a block of positions into the index of the upper left of four pixels and the distances from it, which replace the
// positions: column 7.25 becomes left = 7 and 0.25. Positions beyond the frame move to its border, which is zero.
CONVSCOPE_INLINE void split_positions(const Resampling& r, float* __restrict rows, float* __restrict columns,
                                      int32_t* __restrict indices) {
    const int32_t height = static_cast<int32_t>(r.height), width_of_image = static_cast<int32_t>(r.width);
    const float last_row = static_cast<float>(height + 1), last_column = static_cast<float>(width_of_image + 1);
    for (int64_t i = 0; i < block; ++i) {
        // The order of the comparison turns NaN into 0, so no index is out of range.
        float row = rows[i] > 0 ? rows[i] : 0, column = columns[i] > 0 ? columns[i] : 0;
        row = row > last_row ? last_row : row;
        column = column > last_column ? last_column : column;
        int32_t top = static_cast<int32_t>(row), left = static_cast<int32_t>(column);
        top = top > height ? height : top;  // at the border, so that there is a pixel below, and one to the right
        left = left > width_of_image ? width_of_image : left;
        indices[i] = top * (width_of_image + 2) + left;
        rows[i] = row - static_cast<float>(top);
        columns[i] = column - static_cast<float>(left);
    }
}

void resample(const Resampling& r) {
    gather_corners(r);
    int32_t indices[block];
    float rows[block], columns[block];
    for (int64_t y = 0; y < r.height; ++y) {
        for (int64_t begin = 0; begin < r.width; begin += block) {
            find_sources(r, y, begin, rows, columns);
            split_positions(r, rows, columns, indices);
            float* to = r.output + (y * r.width + begin) * r.channels;
            r.channels == 1 ? mix<1>(r, indices, rows, columns, to) : mix<0>(r, indices, rows, columns, to);
        }
    }
}

void to_bytes(const float* __restrict values, int64_t count, float factor, float addend, const float* __restrict noise,
              float deviation, uint8_t* __restrict bytes) {
    if (noise == nullptr) {
        for (int64_t i = 0; i < count; ++i) bytes[i] = to_byte(values[i] * factor + addend);
        return;
    }
    for (int64_t i = 0; i < count; ++i) bytes[i] = to_byte(values[i] * factor + addend + noise[i] * deviation);
}

}  // namespace convscope::CONVSCOPE_ISA
