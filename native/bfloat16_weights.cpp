#include "bfloat16_weights.hpp"

#include <algorithm>
#include <utility>

namespace convscope {

Bfloat16Weights::Bfloat16Weights(int64_t rows, int64_t columns, int64_t channels, int64_t filters,
                                 const Kernels& kernels)
    : rows_(rows), columns_(columns), channels_(channels), filters_(filters), kernels_(kernels) {
    const int64_t width = kernels.panel_width;
    for (int64_t row = 0; row < columns * channels; ++row) segment_places_.push_back(row * width);
    panels_ = make_buffer<uint16_t>((filters + width - 1) / width * panel_size());
}

void Bfloat16Weights::keep_turned(const float* weights, int64_t panel_size) {
    if (!turned_.empty()) return;
    const int64_t width = kernels_.panel_width;
    Buffer<uint16_t> turned = make_buffer<uint16_t>((channels_ + width - 1) / width * turned_panel_size());
    for (int64_t p = 0; p * width < filters_; ++p) turn(p, weights + p * panel_size, turned.data());
    turned_ = std::move(turned);
}

void Bfloat16Weights::round(int64_t index, const float* weights) {
    const int64_t width = kernels_.panel_width, segment = columns_ * channels_;
    for (int64_t row = 0; row < rows_; ++row) {
        kernels_.pair_rows(weights + row * segment * width, segment_places_.data(), segment,
                           panels_.data() + index * panel_size() + row * bfloat16_padded(segment) * width);
    }
    if (!turned_.empty()) turn(index, weights, turned_.data());
}

void Bfloat16Weights::turn(int64_t index, const float* weights, uint16_t* turned) const {
    const int64_t width = kernels_.panel_width, segment = columns_ * channels_;
    // Two filters side by side in a row are a pair of the turned matrix, which is the transpose of pairs.
    const int64_t pairs = (std::min(width, filters_ - index * width) + 1) / 2;
    for (int64_t row = 0; row < rows_; ++row) {
        for (int64_t column = 0; column < columns_; ++column) {
            const float* from = weights + (row * segment + column * channels_) * width;
            const int64_t turned_row = (rows_ - 1 - row) * turned_segment() + (columns_ - 1 - column) * even_filters();
            for (int64_t channel = 0; channel < channels_; channel += width) {
                uint16_t* panel = turned + channel / width * turned_panel_size();
                kernels_.turn_rows(from + channel * width, std::min(width, channels_ - channel), pairs,
                                   panel + (turned_row + index * width) * width);
            }
        }
    }
}

}  // namespace convscope
