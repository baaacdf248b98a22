#include "bfloat16_weights.hpp"

#include <algorithm>
#include <utility>

namespace convscope {

Bfloat16Weights::Bfloat16Weights(int64_t rows, int64_t columns, int64_t channels, int64_t filters,
                                 const Kernels& kernels)
    : rows_(rows), columns_(columns), channels_(channels), filters_(filters), kernels_(kernels) {
    const int64_t width = kernels.panel_width;
    for (int64_t row = 0; row < columns * channels; ++row) segment_offsets_.push_back(row * width);
    panels_ = make_buffer<uint16_t>((filters + width - 1) / width * panel_size());
}

void Bfloat16Weights::keep_transposed(const float* weights, int64_t panel_size) {
    if (!transposed_.empty()) return;
    const int64_t width = kernels_.panel_width;
    Buffer<uint16_t> transposed = make_buffer<uint16_t>((channels_ + width - 1) / width * transposed_panel_size());
    for (int64_t p = 0; p * width < filters_; ++p) transpose(p, weights + p * panel_size, transposed.data());
    transposed_ = std::move(transposed);
}

void Bfloat16Weights::round(int64_t index, const float* weights) {
    const int64_t width = kernels_.panel_width, segment = columns_ * channels_;
    for (int64_t row = 0; row < rows_; ++row) {
        kernels_.pair_rows(weights + row * segment * width, segment_offsets_.data(), segment,
                           panels_.data() + index * panel_size() + row * bfloat16_padded(segment) * width);
    }
    if (!transposed_.empty()) transpose(index, weights, transposed_.data());
}

void Bfloat16Weights::transpose(int64_t index, const float* weights, uint16_t* transposed) const {
    const int64_t width = kernels_.panel_width, segment = columns_ * channels_;
    // Neighbouring filters of a row become a pair of rows of the transposed matrix, so each pair moves as one.
    const int64_t pairs = (std::min(width, filters_ - index * width) + 1) / 2;
    for (int64_t row = 0; row < rows_; ++row) {
        for (int64_t column = 0; column < columns_; ++column) {
            const float* from = weights + (row * segment + column * channels_) * width;
            const int64_t transposed_row = (rows_ - 1 - row) * transposed_segment() + (columns_ - 1 - column) * even_filters();
            for (int64_t channel = 0; channel < channels_; channel += width) {
                uint16_t* panel = transposed + channel / width * transposed_panel_size();
                kernels_.transpose_rows(from + channel * width, std::min(width, channels_ - channel), pairs,
                                   panel + (transposed_row + index * width) * width);
            }
        }
    }
}

}  // namespace convscope
