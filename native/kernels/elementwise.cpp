// Passes that touch every number once: plain loops that the compiler vectorizes.
#include <math.h>

#include "vector.hpp"

namespace convscope::CONVSCOPE_ISA {

void normalise(const uint8_t* bytes, int64_t rows, int64_t length, float scale, float offset, float* out,
               int64_t out_row) {
    if (out_row == length) {  // without padding the map is one long row
        length *= rows;
        rows = 1;
    }
    for (int64_t r = 0; r < rows; ++r) {
        const uint8_t* __restrict from = bytes + r * length;
        float* __restrict to = out + r * out_row;
        for (int64_t i = 0; i < length; ++i) to[i] = static_cast<float>(from[i]) * scale + offset;
    }
}

void approach(float* __restrict average, const float* __restrict values, int64_t count, float rate) {
    for (int64_t i = 0; i < count; ++i) average[i] += (values[i] - average[i]) * rate;
}

void multiply_by(float* values, int64_t count, float factor) {
    for (int64_t i = 0; i < count; ++i) values[i] *= factor;
}

double sum_of_squares(const float* values, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    return sum;
}

float largest_size(const float* values, int64_t count) {
    int32_t largest = 0;  // without sign, floats are ordered like their bits, and NaN is the largest
    for (int64_t i = 0; i < count; ++i) {
        const int32_t bits = __builtin_bit_cast(int32_t, values[i]) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return __builtin_bit_cast(float, largest);
}

// The loss is log(sum of exp(logit)) - target logit. The target logit is that of the label, or with smoothing s
// (1 - s) label's + s mean of all. The largest logit is subtracted before exp, which then is finite.
double cross_entropy(const float* logits, int64_t classes, int64_t label, float smoothing, float scale,
                     float* gradient, bool* correct) {
    int64_t prediction = 0;
    for (int64_t k = 1; k < classes; ++k) prediction = logits[k] > logits[prediction] ? k : prediction;
    *correct = prediction == label;
    const float largest = logits[prediction];
    // Read before `gradient` is written, which may be `logits` itself.
    double target_logit = static_cast<double>(logits[label]);
    if (smoothing > 0) {
        double total = 0;
        for (int64_t k = 0; k < classes; ++k) total += static_cast<double>(logits[k]);
        target_logit += static_cast<double>(smoothing) * (total / static_cast<double>(classes) - target_logit);
    }
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
        const float exponential = expf(logits[k] - largest);
        gradient[k] = exponential;
        sum += static_cast<double>(exponential);
    }
    const float factor = static_cast<float>(static_cast<double>(scale) / sum);
    for (int64_t k = 0; k < classes; ++k) gradient[k] *= factor;
    if (smoothing > 0) {
        const float smoothed = scale * smoothing / static_cast<float>(classes);
        for (int64_t k = 0; k < classes; ++k) gradient[k] -= smoothed;
    }
    gradient[label] -= scale * (1 - smoothing);
    return log(sum) + static_cast<double>(largest) - target_logit;
}

void softmax(const float* logits, int64_t classes, float* probabilities) {
    float largest = logits[0];
    for (int64_t k = 1; k < classes; ++k) largest = logits[k] > largest ? logits[k] : largest;
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
        probabilities[k] = expf(logits[k] - largest);
        sum += static_cast<double>(probabilities[k]);
    }
    const float factor = static_cast<float>(1 / sum);
    for (int64_t k = 0; k < classes; ++k) probabilities[k] *= factor;
}

void add(float* __restrict sum, const float* __restrict values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) sum[i] += values[i];
}

// With explicit vectors, since `to` may be `from`, which would prevent vectorization.
float add_scaled(float* to, const float* from, const float* values, float factor, int64_t count) {
    Mask sizes{};  // bits without signs are compared, as in largest_size
    for (int64_t i = 0; i < count; i += width) {
        const int64_t lanes = count - i;
        Vector sum = load(from + i) + factor * load(values + i);
        store_first(to + i, sum, lanes);
        if (lanes < width) {
            Vector inside{};  // without what lies beyond the end, which may be anything
            memcpy(&inside, to + i, static_cast<size_t>(lanes) * sizeof(float));
            sum = inside;
        }
        const Mask size = reinterpret_cast<Mask>(sum) & 0x7fffffff;
        sizes = size > sizes ? size : sizes;
    }
    float all[width];
    memcpy(all, &sizes, sizeof all);
    return largest_size(all, width);
}

typedef float Quad __attribute__((vector_size(16)));
typedef float QuadInMemory __attribute__((vector_size(16), aligned(4), may_alias));

// Blocks of 4 x 4 are transposed in registers. Of the block whose number rc is in row r and column c, rows 0 and 1 become
// left_01 = 00 10 01 11 and right_01 = 02 12 03 13, rows 2 and 3 left_23 = 20 30 21 31 and right_23 = 22 32 23 33. Column 0
// is the first halves of left_01 and left_23, 00 10 20 30, and column 1 the second halves.
void transpose(const float* from, int64_t from_row, float* to, int64_t to_row, int64_t rows, int64_t columns) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const float* line = from + r * from_row;
        int64_t c = 0;
        for (; c + 4 <= columns; c += 4) {
            Quad q[4];
            for (int i = 0; i < 4; ++i) q[i] = *reinterpret_cast<const QuadInMemory*>(line + i * from_row + c);
            const Quad left_01 = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5);
            const Quad left_23 = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
            const Quad right_01 = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7);
            const Quad right_23 = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
            float* at = to + c * to_row + r;
            *reinterpret_cast<QuadInMemory*>(at) = __builtin_shufflevector(left_01, left_23, 0, 1, 4, 5);
            *reinterpret_cast<QuadInMemory*>(at + to_row) = __builtin_shufflevector(left_01, left_23, 2, 3, 6, 7);
            *reinterpret_cast<QuadInMemory*>(at + 2 * to_row) = __builtin_shufflevector(right_01, right_23, 0, 1, 4, 5);
            *reinterpret_cast<QuadInMemory*>(at + 3 * to_row) = __builtin_shufflevector(right_01, right_23, 2, 3, 6, 7);
        }
        for (; c < columns; ++c) {
            for (int i = 0; i < 4; ++i) to[c * to_row + r + i] = line[i * from_row + c];
        }
    }
    for (; r < rows; ++r) {
        for (int64_t c = 0; c < columns; ++c) to[c * to_row + r] = from[r * from_row + c];
    }
}

void dropout(uint64_t start, int64_t first, int64_t dropped, const float* __restrict x, int64_t count,
             float* __restrict y) {
    const float scale = 1 / (1 - static_cast<float>(dropped) / 16777216);
    const uint64_t smallest_kept = static_cast<uint64_t>(dropped);
    for (int64_t i = 0; i < count; ++i) {  // >> 40: 24 of 64 random bits
        y[i] = split_mix(start, first + i) >> 40 >= smallest_kept ? x[i] * scale : 0.0f;
    }
}

void copy_where_positive(float* __restrict to, const float* __restrict from, const float* __restrict mask,
                         int64_t count) {
    if (mask == nullptr) {
        memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; ++i) to[i] = mask[i] > 0 ? from[i] : 0.0f;
}

}  // namespace convscope::CONVSCOPE_ISA
